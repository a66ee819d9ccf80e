"""What is known about a model, for people and dashboards: its columns, its distributions, one sentence about it."""
