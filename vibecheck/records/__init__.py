"""What VibeCheck remembers: predictions, feedback, plays, model versions, pictures, the outbox."""
