"""The section `prepare` of a spec: its keys, its expressions, and its checks."""
