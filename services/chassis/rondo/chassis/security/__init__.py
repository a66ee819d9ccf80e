"""Identifies callers of a service: principals, their roles, and the tokens that every service reads from Kafka."""
