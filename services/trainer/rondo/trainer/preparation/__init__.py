"""How rows become the numbers that an estimator sees, fitted once and compiled into the ONNX graph."""
