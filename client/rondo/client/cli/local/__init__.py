"""Commands that need no Rondo elsewhere: `up`, `down` and `demo` run it on this machine, `init` reads a file."""
