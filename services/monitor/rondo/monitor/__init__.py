"""Predictions and outcomes in; drift, performance and alerts out."""
