"""Triggers: what may start a training, and whether it does."""
