"""The rows that a version was trained on, and the reasons, in tables."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.client.cli.versions.adaptation import explained, rows_of

from tests.client.stub_services import ADAPTATION


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "2,340 since 2013-03-01 12:00"),
        ({"window_start": None}, "all 2,340"),
        ({"strategy": "all"}, "all 2,340"),
        ({"strategy": "last 3200"}, "2,340, last 3200"),
        ({"strategy": "fading"}, "2,340, fading"),
    ],
)
def test_a_cell_has_the_rows_of_the_strategy(changes: dict[str, Any], shown: str) -> None:
    assert rows_of(ADAPTATION | changes) == shown


def test_every_strategy_is_shown_with_its_figures() -> None:
    rows = explained(ADAPTATION | {"suspected_since": "2013-03-02T00:00:00Z"})
    assert [name for name, _ in rows] == [
        "fitted to", "chosen because", "window begins", "suspected since", "gap", "compared", "compared", "compared",
    ]  # fmt: skip
    texts = [str(text) for name, text in rows if name == "compared"]
    assert texts[0] == "since, 2,100 rows: loss 0.1187"
    assert all(part in texts[1] for part in ("fading, 9,000 rows", "0.1204", "0.0017 more", "0.0020 less"))
    assert texts[2].startswith("champion: loss 0.1251")


def test_where_nothing_was_compared_nothing_is_shown() -> None:
    assert (rows_of(None), explained(None)) == ("", [])
