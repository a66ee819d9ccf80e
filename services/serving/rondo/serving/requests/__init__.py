"""Parse and validate requests."""
