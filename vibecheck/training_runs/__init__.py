"""Training runs that the app starts, in separate processes that outlive it."""
