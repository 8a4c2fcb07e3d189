"""The gate before each page, the access link, and what the server accepts from browsers."""
