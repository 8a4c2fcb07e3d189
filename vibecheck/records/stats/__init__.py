"""Counts and summaries over many predictions, computed by the database."""
