"""Clients of the services' HTTP APIs."""
