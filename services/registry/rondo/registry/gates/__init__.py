"""Decides whether a candidate is good enough: one module per kind of gate."""
