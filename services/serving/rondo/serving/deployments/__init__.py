"""Following `deployments.changed`: plan, load and warm up versions, and publish `replicas.changed`."""
