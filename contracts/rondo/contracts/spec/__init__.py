"""The model spec: its keys, how its file is read, and the checks that it has to pass."""
