"""Runs uv and shows its progress in few lines: `python uv_progress.py <uv> <argument...>`.

uv itself lists each of 150 packages. This script shows one changing line on a terminal, and one line per quarter of the
download in a log. If uv fails, all of its output is shown.
"""  # noqa: INP001 - a script

import re
import subprocess
import sys
import time

_FETCH = re.compile(r"\s*(Downloading|Downloaded) (\S+)(?: \(([\d.]+)(KiB|MiB|GiB)\))?")
_MEGABYTES = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}


class Download:
    """The progress of the download, in MB."""

    def __init__(self) -> None:
        self.sizes: dict[str, float] = {}
        self.done, self.quarter = 0.0, 0

    def update(self, line: str) -> None:
        """Parse a line of uv's output."""
        if not (match := _FETCH.match(line)):
            return
        if match[1] == "Downloading":
            self.sizes[match[2]] = float(match[3] or 0) * _MEGABYTES.get(match[4], 1.0)
            return
        self.done += self.sizes.get(match[2], 0.0)
        whole = sum(self.sizes.values())
        quarter = int(self.done * 4 / max(whole, 1) + 0.001)
        show(f"  fetched {self.done:.0f} of {whole:.0f} MB ({match[2]})", lasting=quarter > self.quarter)
        self.quarter = quarter


def main(*command: str) -> int:
    """Run the command, and return its exit code."""
    began, lines, download = time.monotonic(), list[str](), Download()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        for line in running.stderr or ():
            lines.append(line)
            download.update(line)
    packages = sum(line.startswith(" + ") for line in lines)
    if running.returncode:
        sys.stderr.write("\n" + "".join(lines))
    elif packages:
        show(f"  {packages} packages are installed, after {time.monotonic() - began:.0f} s\n", lasting=True)
    return running.returncode


def show(text: str, *, lasting: bool) -> None:
    """Show a line.

    On a terminal it replaces the previous line. In a log it is only written if `lasting`.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:79]}")
    elif lasting:
        sys.stderr.write(text.rstrip("\n") + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
