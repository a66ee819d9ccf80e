"""From findings to events and alerts, and their delivery."""
