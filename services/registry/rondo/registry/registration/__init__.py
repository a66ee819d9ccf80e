"""Admits specs and candidates: the review of specs, the registration of versions, and the removal of models."""
