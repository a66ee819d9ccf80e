"""Which outcomes are wanted of where they cost: on request, and published within a budget."""
