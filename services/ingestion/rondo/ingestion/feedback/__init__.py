"""The logs of predictions and outcomes, landed in Delta tables."""
