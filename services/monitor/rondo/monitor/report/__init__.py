"""The report about a model: one HTML file without scripts, made by pure functions from the model's status."""
