"""The outcomes that are wanted where outcomes cost: on request, and published within a budget."""
