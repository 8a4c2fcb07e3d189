"""Names that several packages check."""
