"""What all five Rondo services stand on: Kafka, outbox, failures, telemetry."""
