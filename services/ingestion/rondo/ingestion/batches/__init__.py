"""A submitted batch: its transports, storage of its bytes, validation, publication and report."""
