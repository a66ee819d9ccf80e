"""Scoring jobs, and the scoring of files."""
