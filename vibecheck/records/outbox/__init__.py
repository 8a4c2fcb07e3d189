"""The records that are still to be sent to Comet."""
