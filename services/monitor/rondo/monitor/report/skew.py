"""The part of the report about features that were published with other values than they were served with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.monitor.report.markup import Markup, element

if TYPE_CHECKING:
    from rondo.contracts.events.data import SkewExample
    from rondo.monitor.status.skew_status import SkewStatus

_MOST = 20
_HEADS = ("feature", "cases that differ", "such as")


def skew(status: SkewStatus | None) -> Markup | None:
    """Return the features that differ, with the largest difference of each. None if no feature differs."""
    if status is None or not status.features:
        return None
    rows = [element("tr", *(element("th", head) for head in _HEADS))]
    for each in status.features[:_MOST]:
        share = f"{each.differing / each.cases:.1%} of {each.cases:,}"
        example = _written(each.largest[0]) if each.largest else ""
        rows.append(element("tr", *(element("td", cell) for cell in (each.feature, share, example))))
    return element(
        "section",
        element("h2", "Served and published"),
        element("div", element("table", *rows), class_="card scroll"),
        element(
            "p",
            f"Of {status.served:,} predictions from {status.since:%Y-%m-%d %H:%M} to {status.until:%Y-%m-%d %H:%M} UTC "
            f"{status.cases:,} were published later, with these differences.",
            class_="soft",
        ),
    )


def _written(example: SkewExample) -> str:
    served, published = ("no value" if text is None else text for text in (example.served, example.published))
    return f"{served} served and {published} published, {example.entity} at {example.event_time:%Y-%m-%d %H:%M}"
