"""The output of `rondo drift`: lines of text from the monitor's status of a model."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rondo.client.cli.drift import costs, repeats, skew, slices
from rondo.client.cli.drift.line import Line, column_name, heading, indented, printable
from rondo.client.cli.drift.plots import sparklines
from rondo.client.cli.monitoring import judged_since
from rondo.client.cli.output import minute
from rondo.contracts.events.monitoring import Estimate, Statistic, described, described_estimate
from rondo.contracts.figures import duration
from rondo.contracts.tasks.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rondo.client.cli.drift.plots import Plotter

_STYLES = {"worse": "bold red", "changed": "bold yellow", "no_change": "bold green"}
_MOST_UNCHANGED = 20
_NAME = 28
_METER = 10
# The widths of the table's columns after the name: a bar, the powers of ten, two plots, and the spaces between them.
_SMALL_METER, _POWERS, _PLOT = 6, 16, 17
_BESIDE_NAME = 2 + 1 + _SMALL_METER + 1 + _POWERS + 1 + _PLOT + 1 + _PLOT
_SHORTEST = 8
_HARM = {"loss", "slices"}


def lines(status: dict[str, Any], plotter: Plotter, width: int) -> Iterator[Line]:
    """Yield the lines. A line has at most `width` characters, unless a name is longer."""
    state = status["verdict"]["state"]
    for line in textwrap.wrap(printable(status["verdict"]["sentence"]), width):
        yield Line(line, _STYLES.get(state, "bold"))
    for each in status["candidates"]:
        for line in textwrap.wrap(f"{each['role']}: {printable(each['verdict']['sentence'])}", width):
            yield Line(line, _STYLES.get(each["verdict"]["state"]))
    columns = status["columns"]
    bars = {each["column"]: each["bars"] for each in (status["newest"] or {"columns": ()})["columns"]}
    changed = sorted(
        (each for each in columns if each["since"]),
        key=lambda each: (
            each["group"] not in _HARM,
            each.get("hardly_used", False),
            each["threshold"] - each["evidence"],
        ),
    )
    waiting = [each for each in columns if not each["since"] and not each["judged"] and not each.get("out_of_reach")]
    unchanged = sorted(
        (each for each in columns if not each["since"] and each["judged"]), key=lambda each: -_share(each)
    )
    if changed:
        yield from heading("What has changed")
        for each in changed:
            yield from _changed(each, bars, plotter, width)
    if waiting or status["no_verdict"]:
        yield from heading("Not judged yet")
        yield from _waiting(waiting, status["no_verdict"], width)
    if never := status.get("out_of_reach"):
        yield from heading("Can't be judged")
        yield from (Line(line) for line in indented(printable(never), width, "  "))
    if judged := judged_since(status):
        yield from heading("Judged")
        yield from (Line(line) for line in indented(printable(", ".join(judged)), width, "  "))
    if unchanged:
        yield from heading("No evident change")
        yield from _unchanged(unchanged, bars, plotter, width)
    yield from _windows(status, width)
    yield from slices.lines(status["newest_closed"], width)
    yield from _replaced(status.get("replaced", ()))
    yield from _streams(status["streams"])
    # An older monitor does not send this field.
    yield from _volume(status.get("volume"), width)
    # An older monitor does not send this field.
    yield from _not_counted(status.get("not_counted", ()), width)
    yield from repeats.lines(status.get("repeats"), width)
    yield from skew.lines(status.get("skew"), width)
    yield from costs.lines(status["costs"], width)


def _changed(
    column: dict[str, Any], bars: Mapping[str, Sequence[dict[str, Any]]], plotter: Plotter, width: int
) -> Iterator[Line]:
    yield Line(f"  {column_name(column)}", "bold")
    facts = [printable(column["change"] or ""), _since(column), _importance(column)]
    for fact in filter(None, facts):
        yield from (Line(line) for line in indented(fact, width))
    yield Line(f"    evidence {_powers(column)}  {plotter.bar(_share(column), _METER)}")
    if shown := _bars(column, bars):
        reference, window = sparklines(shown, plotter)
        yield Line(f"    training {reference}")
        yield Line(f"    now      {window}  {_range(shown)}"[:width].rstrip())


def _importance(column: dict[str, Any]) -> str:
    """Return the importance of a column as text. Empty if it is not known, or if an older monitor does not send it."""
    if (found := column.get("importance")) is None:
        return ""
    relies = "the model hardly relies on it" if column["hardly_used"] else "the model relies on it"
    return f"{relies}: without it the loss would rise by {found['loss_increase']:.3f} ± {found['error']:.3f}"


def _since(column: dict[str, Any]) -> str:
    earliest, latest = column["since_earliest"], column["since_latest"]
    between = f", between {minute(earliest)} and {minute(latest)}" if earliest and latest and earliest < latest else ""
    return f"most likely since {minute(column['since'])} UTC{between}"


def _waiting(columns: Sequence[dict[str, Any]], reason: str | None, width: int) -> Iterator[Line]:
    if reason and not columns:
        yield from (Line(line) for line in indented(printable(reason), width, "  "))
    shown = [(column_name(each), _progress(each)) for each in columns[:_MOST_UNCHANGED]]
    room = width - max((len(progress) for _, progress in shown), default=0) - 4
    name = min(max((len(each) for each, _ in shown), default=0), max(room, _SHORTEST))
    for each, progress in shown:
        yield Line(f"  {_shortened(each, name):{name}}  {progress}")
    if columns[_MOST_UNCHANGED:]:
        yield Line(f"  and {len(columns) - _MOST_UNCHANGED} more: --json lists all")


def _progress(column: dict[str, Any]) -> str:
    is_of_rows = column["group"] == "detectors" or (column["column"] is not None and column.get("value") is None)
    what = "rows" if is_of_rows else "outcomes"
    at = minute(column["expected"])
    expected = f", expected on {at} UTC" if at else ""
    return f"{column['rows']:,} of about {column['needed']:,} {what}{expected}"


def _unchanged(
    columns: Sequence[dict[str, Any]], bars: Mapping[str, Sequence[dict[str, Any]]], plotter: Plotter, width: int
) -> Iterator[Line]:
    shown = columns[:_MOST_UNCHANGED]
    name = min(max(len(column_name(each)) for each in shown), _NAME, width - _BESIDE_NAME)
    heads = f"  {'':{name}} {'evidence':{_SMALL_METER + 1 + _POWERS}} {'training':{_PLOT}} newest rows"
    yield Line(heads, "dim")
    for each in shown:
        reference, window = sparklines(_bars(each, bars), plotter)
        meter = plotter.bar(_share(each), _SMALL_METER)
        cells = f"{meter} {_powers(each):{_POWERS}} {reference:{_PLOT}} {window}"
        yield Line(f"  {_shortened(column_name(each), name):{name}} {cells}".rstrip())
    if len(columns) > len(shown):
        yield Line(f"  and {len(columns) - len(shown)} more: --json lists all")


def _windows(status: dict[str, Any], width: int) -> Iterator[Line]:
    if newest := status["newest"]:
        filling = "" if newest["complete"] else ", of a window that fills"
        yield from heading("Newest rows")
        yield Line(f"  {_period(newest)}: {newest['rows']:,} rows{filling}")
    if not (closed := status["newest_closed"] or newest):
        return
    yield from _estimated(newest or closed, width)
    yield from _mean_loss(status["loss"], width)
    metrics = [
        described(Statistic.model_validate(each))
        for each in closed["statistics"]
        if each["feature"] is None and each["statistic"] in METRICS
    ]
    if metrics:
        yield from heading("Performance")
        yield Line(f"  {_period(closed)}: {closed['labelled_rows']:,} outcomes")
        yield from (Line(line) for line in indented(", ".join(metrics), width, "  "))


def _replaced(versions: Sequence[dict[str, Any]]) -> Iterator[Line]:
    if versions:
        yield from heading("Replaced versions")
    for each in versions:
        figures = f"{each['rows']:,} rows, {each['labelled_rows']:,} outcomes"
        yield Line(f"  version {each['version']}: {figures}, open until {minute(each['closes'])} UTC")


def _streams(streams: Mapping[str, dict[str, Any]]) -> Iterator[Line]:
    if streams:
        yield from heading("Streams")
    for name, each in streams.items():
        yield Line(
            f"  {name:8}  newest {minute(each['newest'])} UTC, silent for {duration(each['silent_seconds'])}",
            "bold red" if each["stopped"] else None,
        )
        if (limit := each["limit_seconds"]) is None:
            yield Line("            a stop is not noticed before a week of rows")
        else:
            usual = duration(each["longest_gap_seconds"])
            yield Line(f"            longest gap {usual}; an alert after {duration(limit)}")


def _volume(volume: dict[str, Any] | None, width: int) -> Iterator[Line]:
    if volume is not None:
        style = "bold red" if volume["strange"] else None
        yield from (Line(line, style) for line in indented(printable(volume["sentence"]), width, "  "))


def _not_counted(reasons: Sequence[str], width: int) -> Iterator[Line]:
    if reasons:
        yield from heading("Not counted")
    for each in reasons:
        text = printable(each)
        yield from (Line(line) for line in textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    "))


def _mean_loss(loss: dict[str, Any] | None, width: int) -> Iterator[Line]:
    """Yield the mean loss of the version, and its bounds."""
    if loss is None:
        return
    yield from heading("Loss")
    at_any_time = f"between {loss['low']:.3f} and {loss['high']:.3f} at any time with {100 * loss['confidence']:.4g}%"
    on = f"on {loss['labelled_rows']:,} outcomes"
    text = f"{loss['value']:.3f} {on}, {at_any_time}; {loss['reference']:.3f} on the holdout"
    yield from (Line(line) for line in indented(text, width, "  "))


def _estimated(window: dict[str, Any], width: int) -> Iterator[Line]:
    """Yield the estimated performance over all rows of a window, and the assumption of the estimate."""
    estimates = [Estimate.model_validate(each) for each in window["estimates"]]
    for assumption in dict.fromkeys(each.assumption for each in estimates):
        mine = [described_estimate(each) for each in estimates if each.assumption == assumption]
        yield from heading("Performance, estimated")
        yield Line(f"  {_period(window)}: {window['rows']:,} rows")
        yield from (Line(line) for line in indented(", ".join(mine), width, "  "))
        yield from (Line(line, "dim") for line in indented(f"if {printable(assumption)}", width, "  "))


def _period(window: dict[str, Any]) -> str:
    return f"{minute(window['start'])} to {minute(window['end'])} UTC"


def _range(bars: Sequence[dict[str, Any]]) -> str:
    inner = [each for each in bars if each["kind"] == "range" and each["low"] is not None and each["high"] is not None]
    return f"from {inner[0]['low']:g} to {inner[-1]['high']:g}, and beyond" if inner else ""


def _share(column: dict[str, Any]) -> float:
    return float(column["evidence"] / column["threshold"]) if column["threshold"] > 0 else 0.0


def _powers(column: dict[str, Any]) -> str:
    return f"10^{max(column['evidence'], 0.0):.1f} of 10^{column['threshold']:.1f}"


def _bars(column: dict[str, Any], bars: Mapping[str, Sequence[dict[str, Any]]]) -> Sequence[dict[str, Any]]:
    """Return the distribution of a column. Empty for the loss of a slice."""
    return bars.get(column["column"], ()) if column.get("value") is None else ()


def _shortened(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}~"
