"""Real Apache Kafka, real PostgreSQL and the five services on one machine, without Docker."""
