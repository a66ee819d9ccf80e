"""Reader of batch files that `publish`, `init` and `predict --from` share, so that all of them read the same values."""
