"""Prediction requests in. Predictions out, each exactly once."""
