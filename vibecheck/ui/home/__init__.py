"""The Home page: camera, vibe check, result."""
