"""A challenger against the champion on labels that judge both, and the report of it."""
