"""The HTTP server: authentication, problem details, the FastAPI application, probes, traces."""
