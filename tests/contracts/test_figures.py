"""Large numbers have separators, and no exponent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import Statistic, described
from rondo.contracts.figures import counted, figure
from rondo.contracts.tasks.registry import METRICS


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (26_530.0, ".4g", "26,530"),
        (26_534.7, ".4g", "26,535"),
        (-1_234_567.8, ".4g", "-1,234,568"),
        (1_000.0, ".4g", "1,000"),
        (999.94, ".4g", "999.9"),
        (12_345.67, ".6g", "12,345.7"),
        (20_000.0, ".6g", "20,000"),
        (1_000_000.0, ".6g", "1,000,000"),
        (0.000012, ".4g", "1.2e-05"),
        (2.5, ".4g", "2.5"),
        (1e20, ".4g", "1e+20"),
        (float("nan"), ".4g", "nan"),
        (float("-inf"), ".4g", "-inf"),
        (0.7421, ".3f", "0.742"),
        (0.25, ".1%", "25.0%"),
    ],
)
def test_a_number_is_written_as_people_read_it(value: float, form: str, written: str) -> None:
    assert figure(value, form) == written


@given(st.floats(1_000, 1e14))
def test_a_large_number_reads_back(value: float) -> None:
    assert float(figure(value, ".4g").replace(",", "")) == pytest.approx(value, rel=5e-4)


def test_metrics_and_statistics_are_written_so() -> None:
    assert METRICS["mae"].written(26_530.2) == "MAE 26,530"
    shown = described(Statistic(statistic="mean_error", value=-26_530.2, reference=1_500.0))
    assert shown == "mean error -26,530 (reference 1,500)"


@pytest.mark.parametrize(
    ("count", "nouns", "written"),
    [(1, ("row",), "1 row"), (0, ("row",), "0 rows"), (1_200, ("batch", "batches"), "1,200 batches")],
)
def test_a_number_has_its_noun(count: int, nouns: tuple[str, ...], written: str) -> None:
    assert counted(count, *nouns) == written
