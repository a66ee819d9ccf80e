"""Ensembles: candidates of the newly fitted model and those of the last champions, weighted by recent errors."""
