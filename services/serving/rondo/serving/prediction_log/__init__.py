"""The inference log `predictions.log`: record batches of what a version answered, and their delivery to Kafka."""
