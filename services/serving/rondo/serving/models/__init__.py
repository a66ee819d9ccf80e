"""Loaded versions, the routes between them, and the table of what this replica serves."""
