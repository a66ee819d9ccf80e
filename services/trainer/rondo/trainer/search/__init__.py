"""Searches for better parameters within a training: proposals, trials on inner splits, and the choice of the best."""
