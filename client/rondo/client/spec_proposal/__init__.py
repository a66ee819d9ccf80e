"""Proposes a spec for a file: reads the file, summarizes its columns, decides, and writes YAML."""
