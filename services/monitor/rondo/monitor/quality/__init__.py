"""The quality of a model's data: pauses, stale event times, volume, repeated and failed rows, served values."""
