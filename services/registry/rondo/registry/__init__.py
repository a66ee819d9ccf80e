"""The registry: versions, gates, rollout, lineage and audit of models."""
