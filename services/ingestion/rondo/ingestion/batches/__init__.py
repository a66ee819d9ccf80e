"""A submitted batch, from its bytes to its report."""
