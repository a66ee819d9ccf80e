"""Trees in ONNX graphs and the Shapley values of their sums."""
