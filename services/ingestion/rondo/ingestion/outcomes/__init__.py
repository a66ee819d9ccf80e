"""Outcomes as they arrive."""
