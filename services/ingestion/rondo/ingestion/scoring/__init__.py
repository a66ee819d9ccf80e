"""Scoring jobs: a version of a dataset is sent to serving part by part, and its scores become one table."""
