"""Is a batch fit? File formats, types, the data contract."""
