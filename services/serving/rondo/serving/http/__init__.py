"""The HTTP transport: the Open Inference Protocol v2."""
