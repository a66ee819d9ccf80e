"""Which rows a model is fitted to, decided by comparison: growth, holdout, strategies, their record, forgetting.

Everything here is a function of values. The worker does not use it yet: `make bench ONLY=policies` simulates it.
"""
