"""Statistics of a window, for people: they describe, and `evidence` decides."""
