"""Loaded versions, the routes between them, and the table of served models."""
