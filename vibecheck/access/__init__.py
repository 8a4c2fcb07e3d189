"""Roles, the access link with its passes, and browsers by their cookie."""
