"""Event-time windows: counts by bin, and predictions joined with their outcomes."""
