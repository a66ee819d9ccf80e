"""User functions that train: their packages, the process that runs a function, and the model it returns."""
