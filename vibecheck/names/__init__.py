"""Version names and counts, as several packages write them."""
