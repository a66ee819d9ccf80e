"""The run: the first model, then the flights in event time."""
