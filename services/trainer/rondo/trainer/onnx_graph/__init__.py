"""A model as one ONNX graph of preparation and fitted model, and the check that the graph predicts the same."""
