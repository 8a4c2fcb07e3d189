"""Tells the operator, by a webhook, what needs a decision or a look: once each."""
