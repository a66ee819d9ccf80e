"""The trainer's reaction to a change, for `rondo drift`: the newest run, or the reason of a skipped training."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import Line, printable
from rondo.client.cli.output import minute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rondo.client.errors import RondoError

_WIDTH = 80


def lines(model: str, runs: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield the newest of the runs. `runs` has the newest first."""
    if not runs:
        yield from _part(f"nothing was trained or skipped yet: `rondo runs {model}` will show it")
        return
    newest = runs[0]
    at = newest["finished_at"] or newest["started_at"]
    detail = f": {printable(newest['detail'])}" if newest["detail"] else ""
    yield from _part(f"{newest['state']} {minute(at)}, because of {newest['trigger']['kind']}{detail}")
    yield from _more(f"`rondo runs {model}` has all, `rondo train {model}` trains now")


def unknown(error: RondoError) -> Iterator[Line]:
    """Yield that the registry, which has the runs, does not answer."""
    yield from _part(f"not known: {printable(str(error))}")


def _part(text: str) -> Iterator[Line]:
    yield Line("")
    yield Line("Retraining", "bold")
    yield from _more(text)


def _more(text: str) -> Iterator[Line]:
    yield from (Line(line) for line in textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  "))
