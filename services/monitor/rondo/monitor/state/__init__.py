"""Checkpoints of the monitor's state, and what it knows of the control plane."""
