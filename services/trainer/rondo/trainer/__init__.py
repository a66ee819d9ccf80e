"""Data version and spec in; candidate model and evidence out."""
