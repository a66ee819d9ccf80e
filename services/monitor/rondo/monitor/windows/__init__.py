"""Tumbling windows of event time: binning, counts, the join of outcomes, unmatched rows."""
