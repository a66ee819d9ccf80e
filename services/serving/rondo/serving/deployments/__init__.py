"""Follows `deployments.changed`: plans, loads and warms up versions, and publishes `replicas.changed`."""
