"""Bulk scoring: record batches of `scores.requested`, scored by any version beside the live requests."""
