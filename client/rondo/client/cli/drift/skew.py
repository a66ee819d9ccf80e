"""Features that were published with other values than they were served with."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import Line, printable
from rondo.client.cli.output import minute

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 10


def lines(skew: dict[str, Any] | None, width: int) -> Iterator[Line]:
    """Yield each feature with its largest differences. Nothing if no batch could be compared."""
    if skew is None:
        return
    yield Line("")
    yield Line("Served and published", "bold")
    period = f"{minute(skew['since'])} to {minute(skew['until'])} UTC"
    if not skew["cases"]:
        text = (
            f"{period}: none of {skew['served']:,} predictions has the entity and event time of a published row, so "
            "nothing is compared"
        )
    else:
        text = f"{period}: {skew['cases']:,} of {skew['served']:,} predictions were published, too"
        text += "" if skew["features"] else ", with the values that they were served with"
    yield from (Line(line) for line in _indented(text, width, "  "))
    for each in skew["features"][:_MOST]:
        share = f"{each['differing'] / each['cases']:.1%} of {each['cases']:,} cases"
        yield Line(f"  {printable(each['feature'])} differs in {share}", "bold red" if each["skewed"] else None)
        for example in each["largest"]:
            values = f"served {_value(example['served'])}, published {_value(example['published'])}"
            at = f"{printable(example['entity'])} at {minute(example['event_time'])}"
            yield from (Line(line, "dim") for line in _indented(f"{values}: {at}", width, "    "))
    if more := skew["features"][_MOST:]:
        yield Line(f"  and {len(more)} more: --json lists all")


def _value(text: str | None) -> str:
    return "no value" if text is None else printable(text)


def _indented(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent)
