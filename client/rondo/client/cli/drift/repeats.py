"""Requests that repeat other requests."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import Line
from rondo.client.cli.output import minute

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(repeats: dict[str, Any] | None, width: int) -> Iterator[Line]:
    """Yield the figures of the newest window. Nothing before the first window has closed."""
    if repeats is None:
        return
    yield Line("")
    yield Line("Repeated requests", "bold")
    yield Line(f"  {minute(repeats['start'])} to {minute(repeats['end'])} UTC")
    facts = []
    if (share := repeats["requests"]) is not None:
        error = f" ± {repeats['error']:.1%}" if repeats["error"] else ""
        facts.append(f"{share:.1%}{error} of {repeats['rows']:,} requests repeat entity and event time of another")
    if (share := repeats["newest_features"]) is not None:
        facts.append(f"{share:.1%} of the newest ones repeat its features, {repeats['training']:.1%} in the training")
    elif (share := repeats["features"]) is not None:
        facts.append(f"{share:.1%} repeat its features")
    for fact in facts:
        yield from (Line(line) for line in textwrap.wrap(fact, width, initial_indent="  ", subsequent_indent="    "))
