"""The HTTP API of the registry. It translates requests and answers. The commands decide."""
