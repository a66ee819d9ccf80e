"""The slices and groups of the spec in the newest closed window."""

from __future__ import annotations

import textwrap
from itertools import islice
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import MISSING, Line, printable
from rondo.contracts.tasks.registry import title, written

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 20
_NAME = 24


def lines(closed: dict[str, Any] | None, width: int) -> Iterator[Line]:
    """Yield each slice with its first figure and that of the holdout, then the gaps between groups."""
    found = closed["slices"] if closed else []
    if not closed or not found:
        return
    yield Line("")
    yield Line("Slices", "bold")
    for each in found[:_MOST]:
        name = printable(f"{each['column']} {each['value'] or MISSING}")
        figures = (_figure(name, value, each["reference"].get(name)) for name, value in each["figures"].items())
        text = ", ".join((f"  {name:{_NAME}} {each['labelled_rows']:,} outcomes", *islice(figures, 1)))
        yield from (Line(line) for line in textwrap.wrap(text, width, subsequent_indent=" " * 6))
    if len(found) > _MOST:
        yield Line(f"  and {len(found) - _MOST} more: --json lists all")
    for each in closed["gaps"]:
        between = f"{each['lowest'] or MISSING} and {each['highest'] or MISSING}"
        gap = _figure(each["figure"], each["gap"], each["reference"])
        text = printable(f"  gap by {each['column']}, {between}: {gap}")
        yield from (Line(line) for line in textwrap.wrap(text, width, subsequent_indent=" " * 6))


def _figure(name: str, value: float, reference: float | None) -> str:
    known = "" if reference is None else f" (holdout {written(name, reference)})"
    return f"{title(name)} {written(name, value)}{known}"
