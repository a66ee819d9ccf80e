"""`rondo score`: a version scores a whole version of a dataset."""
