"""Tests that may be looked at at any time: bets on paired differences, coins for guards, intervals for people."""
