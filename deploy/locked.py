"""Run a command alone among all that name the same file: `python locked.py <file> <command...>`.

The system lets go of the lock when its holder ends, however it ends: none is ever left over.
"""  # noqa: INP001 - a script

import fcntl
import subprocess
import sys
from pathlib import Path


def main(file: Path, *command: str) -> int:
    """Wait for whoever holds the lock, saying so, and return the command's exit code."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another one is doing this already and holds {file}: waiting for it\n")
            sys.stderr.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The command holds it, too: it is not let go of while the command runs on without us.
        return subprocess.run(command, check=False, pass_fds=[lock.fileno()]).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
