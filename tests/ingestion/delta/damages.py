"""Damages of files of a table's log."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


# `empty` and `zeros` are what file systems leave after a power cut.
DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": _cut,
    "empty": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "garbage": lambda file: file.write_bytes(b"\xff{garbage"),
    "missing": lambda file: file.unlink(),
}


def log_of(table: Path) -> list[Path]:
    """Return the commits of a table, oldest first."""
    return sorted((table / "_delta_log").glob("*.json"))


@contextmanager
def damaged(file: Path, how: str) -> Iterator[None]:
    """Damage a file, and restore it at the end."""
    whole = file.read_bytes()
    DAMAGES[how](file)
    yield
    file.write_bytes(whole)
