"""A synthetic history: some months of generated vibe checks, to see the dashboard with data."""
