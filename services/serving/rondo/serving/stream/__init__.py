"""The Kafka transport: answers `predictions.requested` on `predictions.made`, exactly once."""
