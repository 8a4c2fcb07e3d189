"""The records: predictions, feedback, plays, model versions, pictures and the outbox. `Store` is the entry.

Nothing here knows of pages, model files or Comet: the outbox holds what is to be sent, not how.
"""
