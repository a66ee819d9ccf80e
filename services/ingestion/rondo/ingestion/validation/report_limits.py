"""How much a report says. Whatever a batch holds, the event about it must fit in a message of Kafka (1 MiB)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Columns, reasons and notes that a report has at most. Names have at most 63 characters and reasons some 250, so the
# event of the worst batch is about 400 KiB.
MOST = 500
_TEXT = 80


def cut(text: str) -> str:
    """Return the beginning of a text, in at most 80 characters and an ellipsis."""
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def first(texts: Sequence[str], most: int = MOST) -> tuple[str, ...]:
    """Return the first of the texts, and how many more there are."""
    return tuple(texts) if len(texts) <= most else (*texts[:most], f"and {len(texts) - most:,} more")


def commonest(reasons: dict[str, int]) -> dict[str, int]:
    """Return the reasons that most rows have, in the order they came in, and the rest of them as one."""
    if len(reasons) <= MOST:
        return reasons
    kept = set(sorted(reasons, key=lambda reason: -reasons[reason])[:MOST])
    rest = [count for reason, count in reasons.items() if reason not in kept]
    most = {reason: count for reason, count in reasons.items() if reason in kept}
    return most | {f"{len(rest):,} more reasons": sum(rest)}
