"""Labels: adding them, which one is effective, the queues of labellers, and training sets."""
