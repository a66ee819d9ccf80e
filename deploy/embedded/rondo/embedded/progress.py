"""How the stack tells a person what it is doing."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]
"""Receives one short line for each thing that takes noticeable time."""


def silent(_line: str) -> None:
    """Tell nobody."""
