"""Replicas of the monitor: which of them has which partition numbers, and answers about models of the others."""
