"""Loaded versions, and which of them answers a request."""
