"""Finds the version of the code if it runs from a git checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_HERE = Path(__file__).resolve()
_SECONDS = 5


def describe(file: Path = _HERE) -> str | None:
    """Return `git describe` of the checkout of a file. None without git, or if git does not track the file.

    An installed package may be inside the checkout of another project, which does not track it.
    """
    git = shutil.which("git")
    if git is None:
        return None
    tracked = _ask(git, file, "ls-files", "--error-unmatch", file.name)
    return _ask(git, file, "describe", "--always", "--dirty", "--tags") if tracked else None


def _ask(git: str, file: Path, *arguments: str) -> str | None:
    command = [git, "-C", str(file.parent), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
