"""What the pages are made of. With the pages, the only code that imports Streamlit."""
