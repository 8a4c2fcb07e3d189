"""Deletes what visitors take back and what is past its retention."""
