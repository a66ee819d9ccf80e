"""A registered model: its versions, runs, deployments, lineage and spec."""
