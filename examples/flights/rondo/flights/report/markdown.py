"""The report as Markdown."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rondo.contracts.tasks.registry import METRICS
from rondo.flights.report.report import REDEPLOYMENTS_OF_A_YEAR

if TYPE_CHECKING:
    from rondo.contracts.tasks.metrics import Metric
    from rondo.flights.observers.outages import Outage
    from rondo.flights.report.report import Report


def as_markdown(report: Report) -> str:
    lines = [
        "# A year of flights through Rondo",
        "",
        *_verdict(report),
        "",
        "| requests sent | answered | refused | lost | answered twice | replay |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        _counts(report),
        "",
        f"Counted from the topics by an independent read_committed reader; the demo sends {report.expected:,}.",
        f"While a training ran, the replay continued at {report.training_speed:.0%} of its speed.",
        "",
        *_retrains(report),
        "",
        *_trainings(report),
        "",
        *_by_month(report),
        "",
        *_outages(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _verdict(report: Report) -> list[str]:
    if report.problems:
        return ["This run is not a success:", "", *(f"- {problem}" for problem in report.problems)]
    times = len(report.retrains)
    itself = f", and the model was redeployed automatically {_times(times)}" if times else ""
    return [f"No prediction was lost, none was answered twice{itself}."]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _counts(report: Report) -> str:
    cells = (report.requests, report.answered, report.refused, len(report.lost), len(report.doubled))
    return "| " + " | ".join(f"{cell:,}" for cell in cells) + f" | {report.seconds_of_replay:.0f} s |"


def _retrains(report: Report) -> list[str]:
    rows = [
        f"| {r.model_version} | {r.kind} | {r.detail} | {_seconds(r.seconds_with_training)} "
        f"| {_seconds(r.seconds_without_training)} | {report.versions_served.get(r.model_version, 0):,} |"
        for r in report.retrains
    ]
    return [
        "Automatic redeployments, in seconds from the monitor's event to the first prediction of the new version:",
        "",
        "| version | because of | detail | with training | without | predictions |",
        "| ---: | --- | --- | ---: | ---: | ---: |",
        *(rows or ["| - | nothing | | | | |"]),
        "",
        _required(report.required_redeployments),
    ]


def _required(redeployments: int) -> str:
    if redeployments:
        return f"A success requires {redeployments} of these."
    return f"This run requires none of these; a whole year requires {REDEPLOYMENTS_OF_A_YEAR}."


def _trainings(report: Report) -> list[str]:
    return [
        "All trainings:",
        "",
        "| because of | detail | end |",
        "| --- | --- | --- |",
        *(f"| {each.kind} | {each.detail} | {each.ended} |" for each in report.trainings),
    ]


def _seconds(value: float | None) -> str:
    return "not served" if value is None else f"{value:.2f} s"


def _by_month(report: Report) -> list[str]:
    metric = METRICS[report.metric]
    months = sorted(report.with_loop.keys() | report.without_loop.keys())
    return [
        f"{metric.title} by month, beside that of the first model without retraining:",
        "",
        "| month | with the loop | never retrained |",
        "| --- | ---: | ---: |",
        *(
            f"| {date(2013, month, 1):%b} | {_figure(report.with_loop.get(month), metric)} "
            f"| {_figure(report.without_loop.get(month), metric)} |"
            for month in months
        ),
    ]


def _figure(value: float | None, metric: Metric) -> str:
    return "-" if value is None else metric.figure(value)


def _outages(report: Report) -> list[str]:
    if not report.outages:
        return []
    return [
        "Processes that died and were restarted with their data (UTC):",
        "",
        "| at | died | all ready again |",
        "| ---: | --- | --- |",
        *(f"| {each.at:%H:%M:%S} | {', '.join(each.names)} | {_recovery(each)} |" for each in report.outages),
    ]


def _recovery(outage: Outage) -> str:
    return "not before the end" if outage.seconds is None else f"after {outage.seconds:.1f} s"
