"""Statistics on a closed window, and whether each exceeds its threshold."""
