"""VibeCheck: a webcam's mood, as a playlist, by a model that learns from being wrong."""

__version__ = "0.1.0"
