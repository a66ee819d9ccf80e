"""Compares the feature values of requests with the published values of the same cases."""
