"""Rollouts: what two versions did with the same requests."""
