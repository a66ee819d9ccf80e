"""Parses and validates requests: JSON to rows of columns, the data contract, and the errors of invalid requests."""
