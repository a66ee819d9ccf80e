"""The HTTP API of the registry: it translates, the commands decide."""
