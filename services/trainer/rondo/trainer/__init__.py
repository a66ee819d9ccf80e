"""Data version and spec in. Candidate model and evidence out."""
