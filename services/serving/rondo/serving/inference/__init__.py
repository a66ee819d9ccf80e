"""The inference service of all transports: validates, routes and scores a batch of rows, and builds its log."""
