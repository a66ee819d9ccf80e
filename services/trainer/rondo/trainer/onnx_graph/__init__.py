"""A model as one ONNX graph: the preparation and the fitted model; and whether it scores the same."""
