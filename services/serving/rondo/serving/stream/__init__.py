"""The Kafka transport: `predictions.requested` to `predictions.made`, exactly once."""
