"""`rondo lineage`: the origin of a version as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.client.stub_services import LINEAGE, TRIALS, Services

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


def test_the_best_trials_of_a_search_are_shown_and_the_others_counted(table: Callable[..., dict[str, str]]) -> None:
    found = table()
    best = [name for name in found if name.startswith("trial ")]
    assert best == [f"trial {number}" for number in (14, 13, 1, 12, 11, 10, 9, 8, 7, 6)]
    assert [
        word for word in ("ROC AUC 0.730", "2.5 s", "learning_rate 0.13", "num_leaves 15") if word not in found[best[0]]
    ] == []
    assert "of the spec" in found["trial 1"]
    assert found["trials"].startswith("4 more")


def test_json_has_all_trials_with_their_parameters(rondo: Run) -> None:
    shown = orjson.loads(rondo("lineage", "late", "1", "--json").stdout)
    assert shown["trials"] == TRIALS


def test_a_version_whose_evidence_is_lost_or_older_has_no_trials(rondo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for evidence in (None, {}):
        monkeypatch.setitem(Services.answers, ("GET", "/v1/models/late/versions/1"), (200, {"evidence": evidence}))
        shown = rondo("lineage", "late", "1")
        assert shown.exit_code == 0
        assert "\ntrial " not in shown.stdout
