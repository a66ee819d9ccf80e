"""Batches and outcomes in; validated, versioned data out."""
