"""Notifies the operator by a webhook of what needs a decision or attention, once each."""
