"""Candidates of several models: the newly fitted one and those of the last champions, by their recent errors."""
