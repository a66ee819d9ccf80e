"""The services' HTTP APIs."""
