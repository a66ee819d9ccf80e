"""Detectors that users have written: they report figures of the columns of each window, in another process."""
