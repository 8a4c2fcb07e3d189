"""Comet as the memory of production: what the store tells goes out, and what is there comes back.

Only the sending process and commands import `comet_ml`: it replaces the process's hook for exceptions,
watches its imports and starts threads, and loading it holds up live video for most of a second.
"""
