"""The one sentence about a model: what has changed, what has not, and what can't be judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.events.monitoring import Statistic
from rondo.contracts.vocabularies import StatisticName
from rondo.monitor.status.column_status import ColumnStatus, described_change
from rondo.monitor.status.overall_verdict import overall_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = datetime(2013, 3, 7, 12, tzinfo=UTC)


def column(group: str, name: str | None, *, changed: bool = False, judged: bool = True, day: int = 7) -> ColumnStatus:
    since = DAY.replace(day=day) if changed else None
    return ColumnStatus(
        group=group, column=name, judged=judged, rows=9, needed=5, expected=None, evidence=1, threshold=2, since=since
    )


X, X_CHANGED = column("inputs", "x"), column("inputs", "x", changed=True)
CITY, CITY_CHANGED = column("inputs", "city"), column("inputs", "city", changed=True, day=5)
MIX, MIX_CHANGED = column("inputs", "projection 1"), column("inputs", "projection 1", changed=True)
SCORE, SCORE_CHANGED = column("outputs", "output.score"), column("outputs", "output.score", changed=True)
LOSS, WORSE = column("loss", None), column("loss", None, changed=True, day=9)
LOSS_OPEN = column("loss", None, judged=False)
NEVER = column("inputs", "x", judged=False).model_copy(update={"out_of_reach": True})


@pytest.mark.parametrize(
    ("columns", "no_verdict", "state", "facts"),
    [
        ([X, CITY, SCORE, LOSS], None, "no_change", ["No change"]),
        ([X_CHANGED, CITY, SCORE, LOSS], None, "changed", ["1 of the 2", "7 March 2013", "not evidently"]),
        ([X_CHANGED, CITY_CHANGED, SCORE, LOSS], None, "changed", ["2 of the 2", "5 March 2013"]),
        ([X_CHANGED, MIX_CHANGED, SCORE, LOSS], None, "changed", ["1 of the 1"]),
        ([X, CITY, MIX_CHANGED, LOSS], None, "changed", ["relation"]),
        ([X, MIX_CHANGED, SCORE_CHANGED], None, "changed", ["relation", "predictions"]),
        ([X_CHANGED, CITY, MIX, LOSS], None, "changed", ["1 of the 2"]),
        ([X, CITY, SCORE_CHANGED, LOSS], None, "changed", ["predictions"]),
        ([X_CHANGED, CITY, SCORE_CHANGED, LOSS], None, "changed", ["1 of the 2", "predictions"]),
        ([X_CHANGED, CITY, SCORE, LOSS_OPEN], "3 of 9 outcomes", "changed", ["not judged yet"]),
        ([X_CHANGED, CITY, SCORE], "no outcomes yet", "changed", ["not judged yet"]),
        ([X, CITY, SCORE, WORSE], None, "worse", ["predicts worse", "9 March 2013"]),
        ([X_CHANGED, CITY, SCORE, WORSE], None, "worse", ["9 March 2013", "1 of the 2"]),
        ([X, LOSS_OPEN], "3 of 9 outcomes", "partly_judged", ["3 of 9 outcomes"]),
        ([LOSS_OPEN], "3 of 9 outcomes", "not_judged", ["3 of 9 outcomes"]),
        ([], "no rows yet", "not_judged", ["no rows yet"]),
        ([NEVER, CITY, LOSS], None, "partly_judged", ["No change", "x can't be judged"]),
        ([NEVER, NEVER], None, "not_judged", ["Nothing", "x and 1 more can't be judged"]),
        ([NEVER, LOSS_OPEN, CITY], "3 of 9 outcomes", "partly_judged", ["3 of 9 outcomes"]),
    ],
)
def test_the_verdict(columns: Sequence[ColumnStatus], no_verdict: str | None, state: str, facts: list[str]) -> None:
    found = overall_verdict("late", 3, columns, no_verdict)
    assert found.state == state
    assert [fact for fact in ["late (version 3)", *facts] if fact not in found.sentence] == []
    assert found.sentence.endswith(".")


def test_without_a_version_nothing_is_judged() -> None:
    assert overall_verdict("late", None, [], "none serves").state == "not_judged"


@pytest.mark.parametrize(
    ("statistic", "before", "now", "words"),
    [
        (StatisticName.LEVEL, 0.0, 0.4, "values are higher"),
        (StatisticName.LEVEL, 0.0, -0.4, "values are lower"),
        (StatisticName.SPREAD, 0.0, 0.4, "values are more spread out"),
        (StatisticName.SPREAD, 0.0, -0.4, "values are less spread out"),
        (StatisticName.MISSING, 0.001, 0.05, "missing 0.1% before, 5.0% now"),
        (StatisticName.SHARE, 0.2, 0.3, "share of AA 20.0% before, 30.0% now"),
        (StatisticName.LOSS, 0.2, 0.3, "loss 0.200 before, 0.300 now"),
        ("later", 0.2, 0.3, "later 0.2 before, 0.3 now"),
    ],
)
def test_a_change_in_words(statistic: str, before: float, now: float, words: str) -> None:
    assert described_change([Statistic(statistic=statistic, category="AA", value=now, reference=before)]) == words


def test_the_change_of_a_projection_is_one_of_weighted_sums() -> None:
    spread = Statistic(feature="projection 2", statistic=StatisticName.SPREAD, value=0.4, reference=0.0)
    assert described_change([spread]).split()[:2] == ["weighted", "sums"]


def test_only_the_strongest_changes_of_a_column_are_named() -> None:
    shares = [Statistic(statistic="share", category=f"c{n}", value=0.1, reference=0.2) for n in range(5)]
    words = described_change(shares)
    assert "c2" in words
    assert "c3" not in words
    assert words.endswith("and 2 more")
