"""A neural network of our own for Rondo: NumPy fits it, and it becomes an ONNX graph by hand."""
