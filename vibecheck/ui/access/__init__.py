"""The gate before a page, and passes in cookies."""
