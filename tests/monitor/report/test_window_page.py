"""The page of a closed window: its distributions beside the training data, its figures, and what was evident then."""

from __future__ import annotations

import pytest
from rondo.chassis.profiles.binning import Binning
from rondo.monitor.history.closed_window import KeptWindow, WindowBins
from rondo.monitor.report.style import CONTENT_SECURITY_POLICY
from rondo.monitor.report.window_page import window_page
from rondo.monitor.status.histograms import Bar, Histogram
from rondo.monitor.status.window_detail import WindowDetail, window_detail

from tests.monitor.builders import DIGEST, PROFILE
from tests.monitor.report.story import SHIFTED, story
from tests.monitor.report.test_page import HOSTILE, Reader


def detail(day: int) -> WindowDetail:
    """Return the window of a day of the story."""
    return window_detail(story().kept[-1 - day])


def shares(found: WindowDetail, column: str) -> tuple[float, float]:
    """Return the shares of a column's upper bars, in the window and in the training data."""
    (bars,) = (each.bars for each in found.columns if each.column == column)
    upper = [bar for bar in bars if bar.kind == "range"][len(bars) // 2 :]
    return sum(bar.window for bar in upper), sum(bar.reference for bar in upper)


def test_the_distributions_are_those_of_the_window_alone() -> None:
    before, after = detail(SHIFTED - 1), detail(SHIFTED)
    assert [each.column for each in before.columns] == [each.column for each in story().status.newest.columns]  # type: ignore[union-attr]
    assert shares(before, "x")[0] == pytest.approx(shares(before, "x")[1], abs=0.05)
    assert shares(after, "x")[0] > shares(after, "x")[1] + 0.2
    for each in before.columns:
        assert sum(bar.window for bar in each.bars) == pytest.approx(1.0)


def test_the_page_says_what_was_evident_when_the_window_closed() -> None:
    first, last = (Reader(window_page("loans", detail(day))) for day in (0, 8))
    assert first.count("div", class_="card verdict no_change") == 1
    assert last.count("div", class_="card verdict worse") == 1
    said = " ".join(text for _, text in last.texts)
    assert [
        each for each in ("loans", "1,000 requests", "2024-01-09 00:00", "x", "Performance") if each not in said
    ] == []
    assert last.of("h3")[0] == "x", "what has changed comes first"


def test_the_page_is_one_file_that_loads_nothing() -> None:
    page = window_page("loans", detail(8))
    reader = Reader(page)
    assert reader.count("meta", content=CONTENT_SECURITY_POLICY) == 1
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.elements}
    assert "http:" not in page
    assert "https:" not in page


def test_external_texts_are_escaped() -> None:
    bars = (Bar(kind="category", label=HOSTILE, window=0.5, reference=0.5),)
    found = detail(8).model_copy(update={"columns": (Histogram(column=HOSTILE, bars=bars),), "no_verdict": HOSTILE})
    reader = Reader(window_page(HOSTILE, found))
    assert not {"script", "link"} & {tag for tag, _ in reader.elements}
    assert reader.of("h1") == [HOSTILE]


@pytest.mark.parametrize(
    "kept",
    [
        KeptWindow(story().windows[0]),
        KeptWindow(story().windows[0], story().kept[0].bins),
        KeptWindow(
            story().windows[0],
            WindowBins(DIGEST, story().kept[0].bins.content),
            PROFILE.model_copy(update={"outputs": {}}),
        ),  # type: ignore[union-attr]
    ],
    ids=["of an earlier release", "its profile is unknown", "its profile has other bins"],
)
def test_a_window_without_distributions_says_why(kept: KeptWindow) -> None:
    found = window_detail(kept)
    assert (found.columns, bool(found.no_columns)) == ((), True)
    page = Reader(window_page("loans", found))
    assert any(found.no_columns in text for _, text in page.texts if found.no_columns)
    assert page.count("article") == 0
    assert any("ROC AUC" in text for _, text in page.texts), "its figures are there"


def test_a_replaced_version_is_named_as_such_and_not_judged() -> None:
    found = detail(8).model_copy(
        update={"role": "replaced", "evidence": (), "no_verdict": "another version serves now"}
    )
    page = Reader(window_page("loans", found))
    assert page.count("div", class_="card verdict not_judged") == 1
    assert any("replaced" in text for _, text in page.texts)


def test_the_bins_are_small_and_exact() -> None:
    kept = story().kept[0]
    assert kept.bins is not None
    assert kept.bins.counts().size == Binning.of(kept.profile).size  # type: ignore[arg-type]
    assert len(kept.bins.content) < 1_000
