"""Commands that run Rondo on this machine: `up`, `down` and `demo`."""
