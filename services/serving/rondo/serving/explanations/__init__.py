"""Explanations of single predictions: by trees, by all sets of features, or by samples."""
