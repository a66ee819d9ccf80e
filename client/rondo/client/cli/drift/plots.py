"""Plots in one line of characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BLOCKS, _ASCII = "▁▂▃▄▅▆▇█", "_.:-=+*#"
_FULL, _FULL_ASCII, _EMPTY, _EMPTY_ASCII = "█", "#", "░", "."


@dataclass(frozen=True)
class Plotter:
    """Draws with block characters, or with ASCII if the terminal's encoding lacks them."""

    levels: str = _BLOCKS
    full: str = _FULL
    empty: str = _EMPTY

    @classmethod
    def of(cls, encoding: str | None) -> Self:
        """Return the plotter for a terminal's encoding."""
        try:
            f"{_BLOCKS}{_EMPTY}".encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return cls(_ASCII, _FULL_ASCII, _EMPTY_ASCII)
        return cls()

    def sparkline(self, shares: Sequence[float], highest: float) -> str:
        """Return a character for each share, with a height relative to the highest share."""
        most = len(self.levels) - 1
        return "".join(self.levels[round(min(share / highest, 1.0) * most) if highest > 0 else 0] for share in shares)

    def bar(self, share: float, width: int) -> str:
        """Return a bar of `width` characters, which a share of 1 fills."""
        filled = round(min(max(share, 0.0), 1.0) * width)
        return self.full * filled + self.empty * (width - filled)


def sparklines(bars: Sequence[Mapping[str, Any]], plotter: Plotter) -> tuple[str, str]:
    """Return the distribution of the reference, and that of the window on the same scale."""
    highest = max((max(each["window"], each["reference"]) for each in bars), default=0.0)
    reference, window = ([each[side] for each in bars] for side in ("reference", "window"))
    return plotter.sparkline(reference, highest), plotter.sparkline(window, highest)
