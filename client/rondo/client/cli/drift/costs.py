"""The cost of predictions by version."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift.line import Line
from rondo.contracts.figures import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST = 3
_MILLION = 1_000_000


def lines(costs: Sequence[dict[str, Any]], width: int) -> Iterator[Line]:
    """Yield the cost of the newest versions."""
    if not costs:
        return
    yield Line("")
    yield Line("Cost", "bold")
    for each in costs[:_MOST]:
        text = ", ".join((f"  version {each['version']}: {each['predictions']:,} predictions", *_figures(each)))
        yield from (Line(line) for line in textwrap.wrap(text, width, subsequent_indent=" " * 6))


def _figures(cost: dict[str, Any]) -> Iterator[str]:
    # An older monitor does not send the share.
    share = cost.get("error_share", 0.0)
    yield f"{cost['errors']:,} errors{f' ({share:.1%})' * bool(share)}"
    if cost["latency_p50"] is not None:
        quantiles = "/".join(
            figure(1_000 * cost[name], ".3g") for name in ("latency_p50", "latency_p95", "latency_p99")
        )
        yield f"inference {quantiles} ms (p50/p95/p99)"
    if cost["memory_bytes"] is not None:
        yield f"replica {cost['memory_bytes'] / _MILLION:,.0f} MB"
    if cost["cpu_seconds"] is not None:
        emissions = figure(1_000 * cost["emissions_grams"], ".2g")
        yield f"per 1,000 {figure(cost['cpu_seconds'], '.3g')} s of CPU and an estimate of {emissions} mg CO2e"
