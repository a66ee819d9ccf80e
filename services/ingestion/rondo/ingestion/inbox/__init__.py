"""Batches as files in a watched folder."""
