"""Bulk scoring: any version scores record batches of `scores.requested`, in parallel to live requests."""
