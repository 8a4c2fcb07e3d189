"""Labels from the records, Comet or a folder → rows split into training, validation and held-out."""
