"""Evaluates a candidate and the champion on the same rows, and assembles the evidence."""
