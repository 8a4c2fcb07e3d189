"""Counts → statistics → words and charts. Pure functions: no database, no Streamlit, no clock."""
