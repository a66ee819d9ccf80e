"""The Python client of Rondo and the `rondo` command."""
