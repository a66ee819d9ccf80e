"""The report is one file without external resources. It shows the changes, and escapes external data."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from rondo.monitor.costs.cost_status import Power, cost_status
from rondo.monitor.costs.version_cost import VersionCost
from rondo.monitor.quality.skew import ServedSkew
from rondo.monitor.report.markup import Markup, element
from rondo.monitor.report.page import report_page
from rondo.monitor.report.style import CONTENT_SECURITY_POLICY, STYLE
from rondo.monitor.status.candidate_status import CandidateStatus
from rondo.monitor.status.histograms import Bar, Histogram
from rondo.monitor.status.overall_verdict import OverallVerdict
from rondo.monitor.status.repeat_status import RepeatStatus
from rondo.monitor.status.skew_status import skew_status
from rondo.monitor.status.stream_status import StreamStatus, VolumeStatus

from tests.monitor.builders import EPOCH
from tests.monitor.quality.test_skew import measured
from tests.monitor.report.story import story

HOSTILE = "<script>alert(1)</script>\"' onload=x & </title>"
# Elements without an end tag.
VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Collects the elements, the text and the headings. Fails if elements are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag: str) -> list[str]:
        """Return the texts within elements of this name."""
        return [text for at, text in self.texts if at == tag]

    def count(self, tag: str, **attributes: str) -> int:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return sum(name == tag and wanted.items() <= found.items() for name, found in self.elements)


def read(**changes: object) -> Reader:
    seen = story()
    return Reader(report_page(seen.status.model_copy(update=changes), seen.windows))


def test_the_page_shows_what_has_changed_and_how_it_performs() -> None:
    page, seen = read(), story()
    assert page.open == []
    (judged,) = (text for text in page.of("p") if text.startswith("judged: "))
    assert f"performance since {seen.status.judged_since['loss']:%Y-%m-%d %H:%M} UTC" in judged
    assert seen.status.verdict.sentence in page.of("div")
    headings = ["What has changed", "Evidence over time", "Performance", "Slices and groups"]
    assert page.of("h2")[:4] == headings
    assert [text for text in page.of("td") if text.startswith("city ")] == ["city a", "city b", "city c"]
    assert any("false positive rate by city" in text for text in page.of("th"))
    assert page.of("h3")[:2] == ["performance", "x"]
    assert page.count("tr", class_="holdout") == 1
    assert page.count("polyline", class_="threshold") == 3, "one of all groups, one of each changed column"
    windows = [text for text in page.of("td") if re.fullmatch(r"2024-01-\d\d 00:00", text)]
    assert windows == [f"{each.start:%Y-%m-%d %H:%M}" for each in seen.windows] * 2, "performance, and gaps"


def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_alone() -> None:
    page, text = read(), report_page(story().status, story().windows)
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")
    assert page.count("meta", **{"http-equiv": "Content-Security-Policy", "content": CONTENT_SECURITY_POLICY}) == 1
    assert f"<style>{STYLE}</style>" in text, "the digest is of what stands between the tags"
    assert {name for name, _ in page.elements} & {"script", "link", "img", "iframe", "object", "use", "image"} == set()
    attributes = {name for _, found in page.elements for name in found}
    assert {name for name in attributes if name.startswith("on")} == set()
    assert attributes & {"style", "href", "src", "srcset", "action"} == set()
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_names_from_outside_stay_text() -> None:
    seen = story()
    columns = tuple(
        each.model_copy(update={"column": HOSTILE, "change": HOSTILE}) if each.column == "x" else each
        for each in seen.status.columns
    )
    assert seen.status.newest
    bars = (Bar(kind="category", label=HOSTILE, window=0.5, reference=0.5),)
    newest = seen.status.newest.model_copy(update={"columns": (Histogram(column=HOSTILE, bars=bars),)})
    verdict = seen.status.verdict.model_copy(update={"sentence": HOSTILE})
    closed = seen.status.newest_closed
    assert closed
    slices = tuple(each.model_copy(update={"column": HOSTILE, "value": HOSTILE}) for each in closed.slices)
    closed = closed.model_copy(update={"slices": slices})
    page = read(
        columns=columns, newest=newest, newest_closed=closed, verdict=verdict, model=HOSTILE, no_verdict=HOSTILE
    )
    assert page.open == []
    assert page.count("script") == 0
    shown = [at for at, text in page.texts if HOSTILE in text]
    assert {"h1", "h3", "span", "td", "p", "div", "title"} <= set(shown)
    assert not any("onload" in name for _, found in page.elements for name in found)


def test_windows_of_a_replaced_version_are_marked() -> None:
    shown = story()
    before = shown.windows[0].model_copy(update={"model_version": 7, "role": "replaced"})
    page = Reader(report_page(shown.status, (shown.windows[0], before)))
    assert page.of("td").count("7, replaced") == 1
    assert page.count("tr", class_="holdout") == 2


def test_what_is_not_judged_yet_has_its_progress() -> None:
    seen = story(days=1)
    page = Reader(report_page(seen.status, seen.windows))
    assert "Not judged yet" in page.of("h2")
    assert "What has changed" not in page.of("h2")


def test_estimates_are_shown_with_their_assumption_where_there_are_no_outcomes_yet() -> None:
    page, seen = read(), story()
    assert seen.status.newest
    (assumption,) = {each.assumption for each in seen.status.newest.estimates}
    assert any(assumption in text for text in page.of("p"))
    assert "accuracy, estimated" in page.of("th")
    assert seen.status.loss
    assert seen.status.loss.low < seen.status.loss.value < seen.status.loss.high
    assert any(f"{seen.status.loss.value:.3f}" in text for text in page.of("strong"))
    fresh = Reader(report_page(story(days=1).status, ()))
    assert any(assumption in text for text in fresh.of("p"))


def test_a_model_without_a_version_has_a_page() -> None:
    nothing = {"version": None, "columns": (), "newest": None, "newest_closed": None, "watermark": None}
    page = Reader(report_page(story().status.model_copy(update=nothing), ()))
    assert page.open == []
    assert page.of("h1") == ["loans"]


def test_the_evidence_of_another_version_is_left_out() -> None:
    page = read(version=2)
    assert "Evidence over time" not in page.of("h2")
    assert "Performance" in page.of("h2")


@pytest.mark.parametrize(
    ("child", "written"), [("<b>&", "&lt;b&gt;&amp;"), (Markup("<b></b>"), "<b></b>"), (None, ""), (7, "7")]
)
def test_an_element_escapes_what_is_no_markup(child: object, written: str) -> None:
    assert element("p", child) == f"<p>{written}</p>"


def test_an_attribute_is_quoted() -> None:
    assert element("p", class_='a"b', aria_label="c>d", id=None) == '<p class="a&quot;b" aria-label="c&gt;d"></p>'


def test_each_candidate_has_its_verdict_below_that_of_the_champion() -> None:
    candidate = CandidateStatus(
        role="canary", version=2, rows=900, until=None, columns=(),
        verdict=OverallVerdict(state="changed", sentence=f"1 of the 2 inputs of {HOSTILE} has changed."),
    )  # fmt: skip
    page = read(candidates=(candidate,))
    assert page.open == []
    assert any(text.startswith("canary, version 2") for text in page.of("strong"))
    assert page.count("div", class_="card verdict beside changed") == 1


def test_repeated_requests_pauses_and_what_is_not_counted_are_listed() -> None:
    assert "Requests and outcomes" not in read(repeats=None, not_counted=(), streams={}).of("h2")
    repeats = RepeatStatus(
        start=EPOCH, end=EPOCH + timedelta(days=1), rows=1_000, requests=0.062, error=0.002, features=0.5,
        newest_features=0.4, training=0.1,
    )  # fmt: skip
    stream = StreamStatus(
        newest=EPOCH, silent_seconds=7_200, longest_gap_seconds=60, limit_seconds=900, lag_seconds=0,
        lag_limit_seconds=None, stopped=True,
    )  # fmt: skip
    said = read(repeats=repeats, not_counted=(HOSTILE,), streams={"requests": stream}).of("li")
    assert len(said) == 4
    assert "no requests" in said[0]
    assert "6.2%" in said[1]
    assert ("40.0%" in said[2], "10.0%" in said[2]) == (True, True)
    assert said[3] == HOSTILE
    running = stream.model_copy(update={"stopped": False})
    assert "Requests and outcomes" not in read(repeats=None, not_counted=(), streams={"requests": running}).of("h2")


def test_features_that_were_published_differently_have_the_largest_difference() -> None:
    batches = ServedSkew().plus(measured(0, x=40, **{HOSTILE: 1}))
    page = read(skew=skew_status(batches))
    assert "Served and published" in page.of("h2")
    (cell,) = (text for text in page.of("td") if "40.0%" in text)
    assert cell == "40.0% of 100"
    assert any("107.0 served and no value published" in text for text in page.of("td"))
    assert "Served and published" not in read(skew=skew_status(ServedSkew())).of("h2")


def test_what_predictions_cost_is_a_table_of_windows() -> None:
    seen = story()
    assert "Cost" not in read().of("h2"), "nothing is known of it"
    cost = cost_status(1, VersionCost(980, 20, 0, 4_000_000, 3_000_000), Power())
    windows = [seen.windows[0].model_copy(update={"cost": cost}), *seen.windows[1:]]
    page = Reader(report_page(seen.status, windows))
    assert "Cost" in page.of("h2")
    cells = page.of("td")
    at = cells.index("2.0%")
    assert cells[at - 3 : at] == [f"{seen.windows[0].start:%Y-%m-%d %H:%M}", "1", "980"]
    assert cells[at + 1 : at + 3] == ["3", "4.08"], "an empty cell, as those of the latency, has no text"


def test_how_many_requests_come_is_listed() -> None:
    start = EPOCH + timedelta(days=3)
    sentence = "312 requests in the 24 h; 2,890 to 3,140 in the same hours"
    volume = VolumeStatus(
        start=start, end=start + timedelta(days=1), rows=312, least=2_890, most=3_140, weeks=4, strange=True,
        sentence=sentence,
    )  # fmt: skip
    assert sentence in read(volume=volume).of("li")
