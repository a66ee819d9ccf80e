"""The Open Inference Protocol, version 2: JSON in and out."""
