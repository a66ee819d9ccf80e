"""The closed windows of each model: what is kept of them, and pages of it."""
