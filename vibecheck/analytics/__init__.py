"""Counts → statistics → words and charts. It knows no Streamlit, and no clock."""
