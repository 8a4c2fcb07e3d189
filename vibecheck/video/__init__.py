"""A visitor's live video: its stream, one analyser for all, and what is drawn over it."""
