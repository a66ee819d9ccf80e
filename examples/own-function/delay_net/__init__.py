"""A neural network of our own for Rondo, fitted with NumPy and converted to an ONNX graph without a converter."""
