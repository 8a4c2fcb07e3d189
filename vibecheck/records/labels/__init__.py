"""Labels: giving them, which one counts, the queues of labellers, and what trains on them."""
