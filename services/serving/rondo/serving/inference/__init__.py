"""The inference service under every transport: validate, route, score and build the log of a batch of rows."""
