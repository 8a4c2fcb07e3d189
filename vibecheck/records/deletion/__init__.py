"""Deletes what visitors ask to be deleted and what is past its retention."""
