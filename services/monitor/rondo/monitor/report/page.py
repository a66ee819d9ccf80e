"""The report about a model: a page for people who know neither the model nor its statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.monitoring import GROUP_NAMES
from rondo.monitor.report import columns
from rondo.monitor.report.costs import costs
from rondo.monitor.report.document import document
from rondo.monitor.report.markup import Markup, element
from rondo.monitor.report.performance import performance
from rondo.monitor.report.quality import quality
from rondo.monitor.report.skew import skew
from rondo.monitor.report.slices import slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.history.closed_window import ClosedWindow
    from rondo.monitor.status.model_status import ModelStatus

_TITLES = {
    "worse": "Predicts worse",
    "changed": "Changed",
    "no_change": "No change evident",
    "partly_judged": "No change evident so far",
    "not_judged": "Not judged yet",
}


def report_page(status: ModelStatus, windows: Sequence[ClosedWindow]) -> str:
    """Return the page as HTML. `windows` are the newest closed ones, the newest first."""
    mine = [window for window in windows if window.model_version == status.version]
    histograms = {each.column: each for each in status.newest.columns} if status.newest else {}
    return document(
        f"{status.model}: {_TITLES[status.verdict.state].lower()}",
        _header(status),
        columns.changed(status.columns, histograms, mine),
        columns.over_time(status.columns, mine),
        performance(windows, status.newest, status.loss),
        slices(status.newest_closed, mine),
        skew(status.skew),
        columns.not_judged(status.columns, status.no_verdict, status.out_of_reach),
        columns.every(status.columns, histograms),
        quality(status),
        costs(windows),
        _reading(status),
    )


def _header(status: ModelStatus) -> Markup:
    facts = [f"version {status.version}"] if status.version is not None else []
    facts += [f"newest request {status.watermark:%Y-%m-%d %H:%M} UTC"] if status.watermark else []
    if newest := status.newest:
        state = "" if newest.complete else ", of a window that fills"
        facts.append(f"newest {newest.rows:,} rows since {newest.start:%Y-%m-%d %H:%M}{state}")
    return element(
        "header",
        element("h1", status.model),
        element("p", " · ".join(facts), class_="soft"),
        element("p", f"judged: {_judged(status)}", class_="soft") if status.judged_since else None,
        element(
            "div",
            element("strong", _TITLES[status.verdict.state]),
            status.verdict.sentence,
            class_=f"card verdict {status.verdict.state}",
        ),
        *_candidates(status),
    )


def _judged(status: ModelStatus) -> str:
    return ", ".join(
        f"{GROUP_NAMES.get(group, group)} since {at:%Y-%m-%d %H:%M} UTC" for group, at in status.judged_since.items()
    )


def _candidates(status: ModelStatus) -> list[Markup]:
    """Return the verdict on each canary or shadow."""
    return [
        element(
            "div",
            element("strong", f"{each.role}, version {each.version}: {_TITLES[each.verdict.state].lower()}"),
            each.verdict.sentence,
            class_=f"card verdict beside {each.verdict.state}",
        )
        for each in status.candidates
    ]


def _reading(status: ModelStatus) -> Markup:
    rate = f"{status.false_alarm_rate:.1%}".replace(".0%", "%")
    promise = (
        "Evidence is how many times its stake a fair bet against “nothing has changed” has won. Without a change "
        f"the probability that any alarm of this version is ever raised is at most {rate}, however often one "
        "looks."
        if status.run_length is None
        else "Evidence is the sum of fair bets against “nothing has changed”, one for each row with which a change may "
        f"have begun. Without a change the first alarm of this version comes after {status.run_length:,} rows or "
        "more on average, however often one looks."
    )
    return element(
        "section",
        element("h2", "How to read this"),
        element(
            "p",
            f"{promise} The figures of single windows describe, and decide nothing.",
            class_="soft",
        ),
        element(
            "p",
            "The promise compares with the training data. Seasons that the training data has not seen are changes, and "
            "a dependence over more rows than the training data shows is not covered. No evident change means that "
            "none has been proved, not that there is none.",
            class_="soft",
        ),
    )
