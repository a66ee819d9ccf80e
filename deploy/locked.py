"""Runs a command while it holds a lock on a file: `python locked.py <file> <command...>`.

The system releases the lock when its holder ends, including after a crash.
"""  # noqa: INP001 - a script

import fcntl
import subprocess
import sys
from pathlib import Path


def main(file: Path, *command: str) -> int:
    """Wait for the lock, run the command, and return its exit code."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another process is doing this already and holds {file}: waiting for it\n")
            sys.stderr.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The command inherits the lock, so that the lock is held until the command ends, even if this process ends
        # before.
        return subprocess.run(command, check=False, pass_fds=[lock.fileno()]).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
