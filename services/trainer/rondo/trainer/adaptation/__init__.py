"""Which rows a model is fitted to, decided by comparison: growth, holdout, strategies, their record, a change.

Everything here is a function of values. docs/retraining.md explains the rules.
"""
