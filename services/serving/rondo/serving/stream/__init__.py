"""Predictions over Kafka."""
