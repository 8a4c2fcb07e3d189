"""What is still to be sent to Comet."""
