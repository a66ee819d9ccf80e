"""Evidence from the figures that detectors of the user's own have of blocks of rows."""
