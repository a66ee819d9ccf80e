"""A finding names its statistic, so a new statistic needs no new field."""

from __future__ import annotations

import pytest
from rondo.contracts.events.monitoring import DriftDetected, Statistic, described
from rondo.contracts.vocabularies import StatisticName

from tests.support.unknown_words import example_of


@pytest.mark.parametrize(
    ("statistic", "text"),
    [
        (Statistic(feature="temp", statistic="psi", value=4.814, threshold=1), "temp PSI 4.81 (threshold 1.00)"),
        (Statistic(statistic="roc_auc", value=0.7, reference=0.75), "ROC AUC 0.700 (reference 0.750)"),
        (Statistic(statistic="mae", value=23.456, threshold=18.54), "MAE 23.46 (threshold 18.54)"),
        (Statistic(statistic="mean_error", value=-2.5, reference=0.0125), "mean error -2.5 (reference 0.0125)"),
        (Statistic(statistic="unknown_classes", value=0.25), "unknown classes 25.0%"),
        (Statistic(feature="a", statistic="missing", value=0.94, reference=0.5), "a missing 94.0% (reference 50.0%)"),
        (Statistic(feature="temp", statistic="kuiper", value=12.345678), "temp kuiper 12.35"),
    ],
)  # fmt: skip
def test_a_statistic_is_described_whatever_it_is(statistic: Statistic, text: str) -> None:
    assert described(statistic) == text


@pytest.mark.parametrize("statistic", StatisticName)
def test_every_statistic_has_a_name_for_people(statistic: StatisticName) -> None:
    assert "_" not in described(Statistic(statistic=statistic, value=0.5))


def test_a_finding_says_how_many_statistics_its_text_leaves_out() -> None:
    finding = DriftDetected.model_validate(example_of(DriftDetected))
    first, *others = map(described, finding.statistics)
    assert finding.described(1 + len(others)) == ", ".join([first, *others])
    assert finding.described(1) == (f"{first}, and {len(others)} more" if others else first)
    cut = finding.model_copy(update={"statistics_left_out": 2_000})
    assert cut.described(1) == f"{first}, and {2_000 + len(others):,} more"
