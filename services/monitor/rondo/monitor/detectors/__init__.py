"""Detectors of the user's own: they report figures of the columns of each window, in a process of their own."""
