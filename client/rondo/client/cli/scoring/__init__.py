"""`rondo score`: a version scores a version of a dataset, or a file."""
