"""A mood → a playlist."""
