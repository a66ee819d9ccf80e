"""Values of a registered model: versions, decisions, runs, deployments, lineage."""
