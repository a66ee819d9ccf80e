"""The flights of 2013 as rows, batches and messages."""
