"""Score rows, and write the inference log."""
