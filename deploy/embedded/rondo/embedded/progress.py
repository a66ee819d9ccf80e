"""Progress messages for people."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]
"""Receives one short line for each step that takes noticeable time.

A step of known length sends its line again with the progress: the same text up to a colon, then bytes and percent."""


def silent(_line: str) -> None:
    """Discard the message."""
