"""Anytime-valid evidence about a rollout: bets on losses, guards, and an interval for people."""
