"""Model versions: the registry, what is installed here, and the one that runs now."""
