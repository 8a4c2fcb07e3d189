"""Who may open which page: roles, and the access link."""
