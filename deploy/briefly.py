"""Run uv and tell in few lines how far it is: `python briefly.py <uv> <argument...>`.

By itself uv lists each of 150 packages. Here a terminal has one line that changes, and a log a line for each quarter of
what is fetched; when uv fails, all that it said is shown.
"""  # noqa: INP001 - a script

import re
import subprocess
import sys
import time

_FETCH = re.compile(r"\s*(Downloading|Downloaded) (\S+)(?: \(([\d.]+)(KiB|MiB|GiB)\))?")
_MEGABYTES = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}


class Fetched:
    """How much of what uv fetches is there, in MB."""

    def __init__(self) -> None:
        self.sizes: dict[str, float] = {}
        self.done, self.quarter = 0.0, 0

    def hear(self, line: str) -> None:
        """Take a line of uv's, and tell what it means."""
        if not (said := _FETCH.match(line)):
            return
        if said[1] == "Downloading":
            self.sizes[said[2]] = float(said[3] or 0) * _MEGABYTES.get(said[4], 1.0)
            return
        self.done += self.sizes.get(said[2], 0.0)
        whole = sum(self.sizes.values())
        quarter = int(self.done * 4 / max(whole, 1) + 0.001)
        show(f"  fetched {self.done:.0f} of {whole:.0f} MB ({said[2]})", lasting=quarter > self.quarter)
        self.quarter = quarter


def main(*command: str) -> int:
    """Run the command, and return its exit code."""
    began, said, fetched = time.monotonic(), list[str](), Fetched()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        for line in running.stderr or ():
            said.append(line)
            fetched.hear(line)
    packages = sum(line.startswith(" + ") for line in said)
    if running.returncode:
        sys.stderr.write("\n" + "".join(said))
    elif packages:
        show(f"  {packages} packages are installed, after {time.monotonic() - began:.0f} s\n", lasting=True)
    return running.returncode


def show(text: str, *, lasting: bool) -> None:
    """Show a line: on a terminal in the place of the one before, in a log if it is `lasting`."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:79]}")
    elif lasting:
        sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
