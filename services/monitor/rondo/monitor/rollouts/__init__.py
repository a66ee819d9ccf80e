"""Rollouts: comparisons of two versions on the same requests."""
