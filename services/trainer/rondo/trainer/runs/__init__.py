"""Training runs: the queue, their leases, and the worker process."""
