"""The report about one closed window: a page for people who know neither the model nor its statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.events.monitoring import GROUP_NAMES
from rondo.contracts.vocabularies import WindowRole
from rondo.monitor.report import plots
from rondo.monitor.report.costs import costs
from rondo.monitor.report.document import document
from rondo.monitor.report.markup import Markup, element
from rondo.monitor.report.performance import performance
from rondo.monitor.report.slices import slices
from rondo.monitor.status.column_status import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.monitor.history.closed_window import ColumnEvidence
    from rondo.monitor.status.histograms import Histogram
    from rondo.monitor.status.window_detail import WindowDetail

_MOST_NAMES = 5


def window_page(model: str, window: WindowDetail) -> str:
    """Return the page as HTML."""
    return document(
        f"{model}: {window.start:%Y-%m-%d %H:%M}",
        _header(model, window),
        performance([window], None, None),
        slices(window, [window]),
        _distributions(window),
        costs([window]),
        _reading(),
    )


def _header(model: str, window: WindowDetail) -> Markup:
    role = ", which another version had replaced when the window closed" * (window.role == WindowRole.REPLACED)
    facts = (
        f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC",
        f"version {window.model_version}{role}",
        f"{window.rows:,} requests, {window.labelled_rows:,} with a known outcome",
    )
    state, title, sentence = _verdict(window)
    return element(
        "header",
        element("h1", model),
        element("p", " · ".join(facts), class_="soft"),
        element("div", element("strong", title), sentence, class_=f"card verdict {state}"),
        element("p", f"Not judged at that time: {window.no_verdict}.", class_="soft") if window.no_verdict else None,
    )


def _verdict(window: WindowDetail) -> tuple[str, str, str]:
    """Return the state, its title, and a sentence about the evidence at the end of the window."""
    if not window.evidence:
        return (
            "not_judged",
            "Not judged",
            "The figures of this window describe it. There was no evidence about a change.",
        )
    named = [each for each in window.evidence if _is_named(each)]
    if not named:
        count = len({(each.group, each.column, each.value) for each in window.evidence})
        sentence = f"When this window closed, none of the {count} figures that are watched had changed evidently."
        return "no_change", "No change evident", sentence
    worse = [each for each in named if each.group in {"loss", "slices"}]
    others = list(dict.fromkeys(_name(each) for each in named if each not in worse))
    parts = (
        [f"The performance was worse than on the holdout: {_listed([_name(each) for each in worse])}."] if worse else []
    )
    parts += [f"Inputs or predictions differed from the training data: {_listed(others)}."] if others else []
    state, title = ("worse", "Predicted worse") if worse else ("changed", "Changed")
    return state, title, f"{' '.join(parts)} This is what was evident when the window closed, from all rows so far."


def _is_named(evidence: ColumnEvidence) -> bool:
    return evidence.evidence >= evidence.threshold


def _name(evidence: ColumnEvidence) -> str:
    if evidence.column is None:
        return "all rows"
    name = evidence.column.removeprefix(OUTPUT)
    return name if evidence.value is None else f"{name} {evidence.value or MISSING}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _distributions(window: WindowDetail) -> Markup:
    """Return the distributions beside those of the training data: the columns that had changed, then the others."""
    heading = element("h2", "Distributions")
    if window.no_columns is not None:
        return element("section", heading, element("p", f"There are none: {window.no_columns}.", class_="card"))
    changed = {each.column for each in window.evidence if _is_named(each) and each.value is None}
    ordered = sorted(window.columns, key=lambda each: (each.column not in changed, -_distance(each)))
    cards = [_card(each, is_changed=each.column in changed) for each in ordered[: plots.MOST_PLOTS]]
    more = len(ordered) - len(cards)
    return element(
        "section",
        heading,
        plots.legend("this window"),
        element("div", *cards, class_="cards"),
        element("p", f"{more} more columns differ less.", class_="soft") if more else None,
    )


def _card(column: Histogram, *, is_changed: bool) -> Markup:
    note = "changed evidently, from all rows so far" if is_changed else ""
    moved = f"{plots.percent(_distance(column))} of the rows of this window are elsewhere than in the training data"
    return element(
        "article",
        element("h3", column.column),
        element("p", ". ".join(filter(None, (note, moved))), class_="soft"),
        plots.histogram(column, "in this window"),
        class_="card",
    )


def _distance(column: Histogram) -> float:
    """Return the total variation distance of the bars."""
    return sum(abs(bar.window - bar.reference) for bar in column.bars) / 2


def _reading() -> Markup:
    groups = ", ".join(GROUP_NAMES.values())
    return element(
        "section",
        element("h2", "How to read this"),
        element(
            "p",
            "The figures describe the rows of this window, and a figure of few rows moves by chance. Only the evidence "
            f"decides what has changed ({groups}). It is that of all rows of the version up to the end of the window, "
            "not of this window alone.",
            class_="soft",
        ),
    )
