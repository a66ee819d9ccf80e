"""Finding events, alerts with hysteresis, and webhook deliveries."""
