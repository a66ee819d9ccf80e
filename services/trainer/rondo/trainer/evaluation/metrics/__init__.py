"""The metrics of a holdout."""
