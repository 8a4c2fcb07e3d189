"""Pages about VibeCheck, and the commands that write parts of them."""
