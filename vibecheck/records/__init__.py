"""What VibeCheck remembers: predictions, feedback, plays, model versions, pictures, the outbox.

It knows no page, no model file and no Comet: the outbox says what is to be sent, not how.
"""
