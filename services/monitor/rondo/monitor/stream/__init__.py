"""From Kafka messages to rows in event-time order: buffering, watermarks, idleness."""
