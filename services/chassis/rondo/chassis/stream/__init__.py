"""The data plane: exactly-once transforms, and followers that store positions with their state."""
