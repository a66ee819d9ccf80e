"""Reading the two logs: messages, buffering, watermarks, idleness."""
