"""Deletes records at visitors' request and after their retention."""
