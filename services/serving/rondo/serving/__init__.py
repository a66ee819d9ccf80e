"""Prediction requests in; predictions out, each exactly once."""
