"""Plans, fits and scores strategies on labelled rows, and returns the model of the leader. `adaptation` decides."""
