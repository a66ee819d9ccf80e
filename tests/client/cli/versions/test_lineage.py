"""`rondo lineage`: what a version was made of, as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.stub_services import LINEAGE, Services

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]
THRESHOLD: dict[str, Any] = {"threshold": 0.3, "coverage": None, "half_width": None, "rows": None}
INTERVAL: dict[str, Any] = {"threshold": None, "coverage": 0.8, "half_width": 38.25, "rows": 600}


@pytest.fixture
def table(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Return a function that returns the table of a lineage with these parts, by the first column."""

    def show(**parts: Any) -> dict[str, str]:
        path = "/v1/models/late/versions/1/lineage"
        monkeypatch.setitem(Services.answers, ("GET", path), (200, LINEAGE | parts))
        lines = rondo("lineage", "late", "1").stdout.splitlines()
        return {line[:15].strip(): line[15:].strip() for line in lines}

    return show


def test_the_threshold_is_shown_with_the_rows_that_chose_it(table: Callable[..., dict[str, str]]) -> None:
    shown = {rows: table(answer_rule=THRESHOLD | {"rows": rows})["label"] for rows in (None, 1_200)}
    assert "0.3 " in shown[None] + " "
    assert "1,200" not in shown[None]
    assert "1,200 rows" in shown[1_200]


def test_the_interval_is_shown_with_its_width_and_its_coverage(table: Callable[..., dict[str, str]]) -> None:
    found = table(answer_rule=INTERVAL)
    assert [word for word in ("38.25", "0.8", "600 rows") if word not in found["interval"]] == []
    assert "label" not in found


def test_a_lineage_of_an_older_registry_has_no_such_row(table: Callable[..., dict[str, str]]) -> None:
    assert {"label", "interval"}.isdisjoint(table(answer_rule=None))
