"""Functions of the user's own that train: their packages, the process that runs one, and the model it returns."""
