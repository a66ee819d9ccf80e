"""The data plane: exactly-once transforms, and followers that keep their own state."""
