"""Preparation and model as one ONNX graph, and its parity with the native model."""
