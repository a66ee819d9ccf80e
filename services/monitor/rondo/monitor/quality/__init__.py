"""The quality of a model's streams: requests or outcomes that stop, event times that no longer advance."""
