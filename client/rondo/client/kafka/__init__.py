"""Predictions, outcomes and events over Kafka."""
