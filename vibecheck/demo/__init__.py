"""A synthetic history: some months of made-up vibe checks, to see the dashboard alive."""
