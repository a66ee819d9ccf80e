"""Ingestion: validates batches and outcomes, and writes them to versioned Delta tables."""
