"""The setup shows its progress in few lines, and all output when it fails."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "uv_progress.py"
# The output of uv 0.13 into a pipe.
UV = r"""
printf '   Building rondo-client @ file:///x/client\n      Built rondo-client @ file:///x/client\n' >&2
printf 'Downloading scipy (30.0MiB)\nDownloading ruff (10.0MiB)\nDownloading wheel (512.0KiB)\n' >&2
printf ' Downloaded wheel\n Downloaded ruff\n Downloaded scipy\n' >&2
printf 'Prepared 3 packages in 1s\nInstalled 3 packages in 1s\n + ruff==1\n + scipy==1\n + wheel==1\n' >&2
"""
INSTALLED = "  3 packages are installed, after 0 s"
COMMAND = [sys.executable, str(SCRIPT), "sh", "-c"]


def test_a_log_has_a_line_for_each_quarter_and_one_at_the_end() -> None:
    ran = subprocess.run([*COMMAND, UV], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout == ""
    assert ran.stderr.splitlines() == [
        "  fetched 10 of 40 MB (ruff)",
        "  fetched 40 of 40 MB (scipy)",
        INSTALLED,
    ]


def test_a_terminal_has_one_line_that_changes() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([*COMMAND, UV], stderr=theirs, check=True)  # noqa: S603
    os.close(theirs)
    shown = read_to_end(ours)
    assert [line.strip() for line in shown.split("\r\x1b[K")] == [
        "",
        "fetched 0 of 40 MB (wheel)",
        "fetched 10 of 40 MB (ruff)",
        "fetched 40 of 40 MB (scipy)",
        INSTALLED.strip(),
    ]


def read_to_end(terminal: int) -> str:
    """Read what a terminal shows. It comes in any number of parts, and Linux ends it with an error."""
    parts = []
    with suppress(OSError):
        while part := os.read(terminal, 10_000):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_what_is_there_already_takes_no_line() -> None:
    script = "echo 'Audited 155 packages in 1ms' >&2"
    ran = subprocess.run([*COMMAND, script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stderr == ""


def test_a_failure_shows_all_output_and_has_its_exit_code() -> None:
    script = "printf 'Downloading ruff (10.0MiB)\\nerror: no route to host\\n' >&2; exit 2"
    ran = subprocess.run([*COMMAND, script], capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[-2:] == ["Downloading ruff (10.0MiB)", "error: no route to host"]
