"""Checkpoints of the monitor's state, and its copy of the control plane, in PostgreSQL."""
