"""The model spec: its keys, the parser of its file, and its checks."""
