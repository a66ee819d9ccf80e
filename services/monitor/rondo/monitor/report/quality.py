"""The part of the report about the quality of requests and outcomes: volume, pauses, repeated and uncounted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.figures import duration
from rondo.monitor.report.markup import Markup, element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.monitor.status.model_status import ModelStatus
    from rondo.monitor.status.repeat_status import RepeatStatus


def quality(status: ModelStatus) -> Markup | None:
    """Return the quality of the data. None if nothing is known."""
    volume = [status.volume.sentence] if status.volume else []
    lines = [*_stopped(status), *volume, *(_repeats(status.repeats) if status.repeats else ()), *status.not_counted]
    if not lines:
        return None
    items = [element("li", line) for line in lines]
    return element(
        "section", element("h2", "Requests and outcomes"), element("div", element("ul", *items), class_="card")
    )


def _stopped(status: ModelStatus) -> Iterator[str]:
    for name, each in status.streams.items():
        if each.stopped:
            yield f"no {name} for {duration(each.silent_seconds)}, the newest at {each.newest:%Y-%m-%d %H:%M} UTC"


def _repeats(repeats: RepeatStatus) -> Iterator[str]:
    window = f"of {repeats.rows:,} requests from {repeats.start:%Y-%m-%d %H:%M} to {repeats.end:%Y-%m-%d %H:%M} UTC"
    if repeats.requests is not None:
        error = f" ± {repeats.error:.1%}" if repeats.error else ""
        yield f"{repeats.requests:.1%}{error} {window} repeat entity and event time of another"
    if repeats.newest_features is not None and repeats.training is not None:
        shares = f"{repeats.newest_features:.1%} of the newest requests", f"{repeats.training:.1%} in the training"
        yield f"{shares[0]} repeat the features of another, {shares[1]}"
    elif repeats.features is not None:
        yield f"{repeats.features:.1%} {window} repeat the features of another"
