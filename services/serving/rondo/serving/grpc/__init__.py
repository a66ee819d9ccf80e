"""The gRPC API: the Open Inference Protocol v2, and the health protocol of gRPC."""
