"""Chooses the training window: which rows a model is fitted to, by comparison of strategies on rows not seen.

Everything here is a function of values. docs/retraining.md explains the rules.
"""
