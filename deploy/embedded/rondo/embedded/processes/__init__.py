"""Child processes: start, readiness, restart, end."""
