"""Outcomes from Kafka: parsing, and the exactly-once stream to `outcomes.log`."""
