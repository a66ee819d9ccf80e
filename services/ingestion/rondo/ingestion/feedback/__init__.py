"""Writes the logs of predictions and outcomes to Delta tables."""
