"""Tumbling windows of event time: counts, the join of outcomes, unmatched rows."""
