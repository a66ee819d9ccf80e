"""How the stack tells a person what it is doing."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str], None]
"""Receives one short line for each thing that takes noticeable time.

What has a length is told again and again with how far it is: the same words up to a colon, then bytes and percent.
"""


def silent(_line: str) -> None:
    """Tell nobody."""
