"""Delta tables: append exactly once, content digests."""
