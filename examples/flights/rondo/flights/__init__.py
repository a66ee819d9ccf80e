"""A year of New York flights through Rondo: the demo."""
