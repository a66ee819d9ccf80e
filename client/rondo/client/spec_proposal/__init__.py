"""Proposes a spec for a file: reads it, sums up its columns, decides, and writes YAML."""
