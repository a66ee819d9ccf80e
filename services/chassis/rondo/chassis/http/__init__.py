"""The HTTP server of a service and its health checks."""
