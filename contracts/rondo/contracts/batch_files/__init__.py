"""Files of batches as `publish`, `init` and `predict --from` read them: one reader, so that all see the same values."""
