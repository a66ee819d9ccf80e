"""Estimates of the performance where outcomes are missing, from the predictions alone.

`make bench ONLY=estimates` compares them with the true performance.
"""
