"""Declared datasets: which spec may be applied, and who uses it."""
