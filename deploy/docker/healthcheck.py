"""The health check of a service's container: exit code 0 if `/readyz` answers 200.

Docker restarts a container whose process has ended, but not an unhealthy one. A service may accept connections without
answering, because it is frozen (SIGSTOP) or its event loop hangs. This check kills such a service after MAX_TIMEOUTS
checks in a row, and the restart policy starts it again. The script needs no packages, because it runs every few
seconds.
"""

# ruff: noqa: INP001 - a script

import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

MAX_TIMEOUTS = 6
TIMEOUT_SECONDS = 4


def check(url: str, timeouts: Path, service: str) -> int:
    """Return the exit code. `timeouts` is the file with the number of consecutive checks without an answer."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS):  # noqa: S310 - loopback
            timeouts.unlink(missing_ok=True)
            return 0
    except urllib.error.HTTPError:  # it answers, but is not ready
        timeouts.unlink(missing_ok=True)
        return 1
    except urllib.error.URLError as error:
        hangs = isinstance(error.reason, TimeoutError)
    except TimeoutError:
        hangs = True
    if hangs:  # otherwise nothing listens, because the service is starting or has ended
        count = int(timeouts.read_text("ascii")) + 1 if timeouts.exists() else 1
        timeouts.write_text(str(count), "ascii")
        if count >= MAX_TIMEOUTS:
            timeouts.unlink()
            kill(service)
    return 1


def kill(service: str) -> None:
    """Kill the processes `python -m rondo.<service>`. SIGKILL ends a stopped process, too."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and f"rondo.{service}" in arguments(folder):
            sys.stdout.write(f"no answer {MAX_TIMEOUTS} times in a row: killing process {folder.name}\n")
            os.kill(int(folder.name), signal.SIGKILL)


def arguments(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text("utf-8", "replace").split("\0")
    except OSError:  # it has ended
        return []


if __name__ == "__main__":
    port = os.environ.get("RONDO_HTTP_PORT", "8000")
    state = Path("/tmp/health-check-timeouts")  # noqa: S108 - the container's own
    sys.exit(check(f"http://127.0.0.1:{port}/readyz", state, os.environ["RONDO_SERVICE"]))
