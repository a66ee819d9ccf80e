"""The control plane: consume and publish typed events, with retries and dead letters."""
