"""Files of a watched folder as batches."""
