"""Text that every layer may use: counts in sentences, the names of model versions."""
