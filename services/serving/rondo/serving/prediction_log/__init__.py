"""The inference log `predictions.log`: record batches of answered rows, and their delivery to Kafka."""
