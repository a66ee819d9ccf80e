"""The status of a model, for people and dashboards: its columns, its distributions, and one sentence about it."""
