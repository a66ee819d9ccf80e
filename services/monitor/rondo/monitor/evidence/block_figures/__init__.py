"""Evidence from figures of blocks of rows: those of detectors of the user's own, and gaps between groups."""
