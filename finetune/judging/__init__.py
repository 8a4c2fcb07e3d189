"""A challenger against the champion on held-out labels, and the report of it."""
