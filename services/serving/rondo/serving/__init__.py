"""Answers prediction requests, each exactly once."""
