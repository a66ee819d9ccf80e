"""Declared datasets: the review of their specs and of the models that use them, and their commands."""
