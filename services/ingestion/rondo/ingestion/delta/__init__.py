"""Delta tables: their single writer, column types, digests and storage errors."""
