"""Replicas of the monitor: the assignment of partition numbers, and answers about models of other replicas."""
