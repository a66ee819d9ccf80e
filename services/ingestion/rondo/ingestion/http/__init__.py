"""The HTTP API: routes, and the bodies of their answers."""
