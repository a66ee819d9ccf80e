"""The Open Inference Protocol's JSON, to and from rows."""
