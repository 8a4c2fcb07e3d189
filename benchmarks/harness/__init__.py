"""What several benchmarks share: a running app, its visitors, and how figures are recorded."""
