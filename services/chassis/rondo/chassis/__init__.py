"""The base of all five services: Kafka, PostgreSQL, HTTP, security, failures, telemetry."""
