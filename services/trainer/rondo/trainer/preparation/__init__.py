"""Converts rows to the numbers that an estimator takes. The steps are fitted once and become part of the ONNX graph."""
