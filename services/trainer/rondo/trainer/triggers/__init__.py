"""Train now, or not? Triggers and their admission."""
