"""The microservice chassis: what all five services share (Kafka, PostgreSQL, HTTP, security, telemetry)."""
