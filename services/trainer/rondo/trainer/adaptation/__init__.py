"""Chooses the training window, the rows that a model is fitted to: compares strategies on rows that none was fitted to.

Everything here is a function of values. docs/retraining.md explains the rules.
"""
