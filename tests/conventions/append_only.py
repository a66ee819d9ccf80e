"""Lists to which lines are only added: the git history shows whether one was changed or lost."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def lost_lines(file: Path) -> set[str]:
    """Return the lines that a committed list had at any time and lacks now. Skip the test where there is no history."""
    git = shutil.which("git")

    def output(*arguments: str) -> str:
        command = [str(git), "-C", str(file.parent), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603

    try:
        started = output("log", "-1", "--diff-filter=A", "--format=%H", "--", file.name).split()
    except (OSError, subprocess.CalledProcessError):
        started = []
    if not started:
        pytest.skip("this is no checkout with the history of the list")
    later = output("log", "--format=%H", f"{started[0]}..", "--", file.name).split()
    now = set(file.read_text(encoding="utf-8").splitlines())
    return {
        line for commit in (*started, *later) for line in output("show", f"{commit}:./{file.name}").splitlines()
    } - now
