"""The microservice chassis: the common code of all five services (Kafka, PostgreSQL, HTTP, security, telemetry)."""
