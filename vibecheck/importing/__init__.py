"""Labelled pictures from files → the records."""
