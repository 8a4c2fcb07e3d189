"""Rows and a base model → a challenger."""
