"""Converts the JSON of the Open Inference Protocol to rows, and answers to JSON."""
