"""A model as one ONNX graph: the encoding of features and the fitted model; and whether it scores the same."""
