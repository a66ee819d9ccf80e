"""Models made elsewhere: whether an ONNX graph can be served, what its inputs and outputs mean, and its nodes."""
