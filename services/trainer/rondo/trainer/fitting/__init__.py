"""From labelled rows to the model of the strategy that leads: plans, fits and scores. `adaptation` decides."""
