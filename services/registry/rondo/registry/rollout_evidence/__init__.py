"""The evidence about a rollout, which may be looked at any time: bets on losses, guards, and an interval for people."""
