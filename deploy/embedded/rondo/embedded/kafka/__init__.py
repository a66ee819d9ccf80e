"""An Apache Kafka broker: its jars, its Java runtime, its configuration."""
