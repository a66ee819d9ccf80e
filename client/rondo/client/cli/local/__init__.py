"""Commands that need no running Rondo: `up`, `down` and `demo` run it on this machine, `init` reads a file."""
