"""Point-in-time features: the rule of time, for columns (polars) and for one key (plain Python)."""
