"""Versions, gates, promotion, lineage, audit."""
