"""Derived columns: mathematics where it is defined, NaN where it is not, the same in training and graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rondo.contracts.spec.preparation.expressions import parse_expression
from rondo.trainer.preparation.derive import Derived

from tests.trainer.preparation.graphs import run

NAN, INF, LARGEST, LEAST = float("nan"), float("inf"), float(np.finfo(np.float32).max), 1e-45


def derive(text: str, **values: float | list[float]) -> float | list[float]:
    """Return the value of an expression for one row or several. Training and graph must agree on it."""
    columns = {name: np.atleast_1d(np.array(value, dtype=np.float32)) for name, value in values.items()}
    derived = Derived(parse_expression(text))
    numbers = derived.apply(columns)
    nodes = derived.onnx_nodes({name: name for name in columns}, "output")
    graph = run(nodes, {name: column.reshape(-1, 1) for name, column in columns.items()})
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(graph[:, 0], numbers)
    return numbers.tolist() if len(numbers) > 1 else float(numbers[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", 8.0),
        ("a - b", 4.0),
        ("a * b", 12.0),
        ("a / b", 3.0),
        ("-a", -6.0),
        ("2 * (a + b) / b - 1", 7.0),
        ("log(a)", math.log(6)),
        ("log1p(a)", math.log(7)),
        ("exp(b)", math.exp(2)),
        ("sqrt(a)", math.sqrt(6)),
        ("abs(b - a)", 4.0),
        ("min(a, b, 1)", 1.0),
        ("max(a, b, 1)", 6.0),
        ("1 / b * a", 3.0),
        ("1 / 3 * a", 2.0),
    ],
)
def test_an_expression_is_computed(text: str, expected: float) -> None:
    assert derive(text, a=6.0, b=2.0) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "text", ["a / b", "b / b", "log(b)", "log(-a)", "log1p(-a)", "sqrt(-a)", "a * 3e38 * a", "exp(a * 50)"]
)
def test_what_is_not_defined_is_missing(text: str) -> None:
    assert math.isnan(derive(text, a=6.0, b=0.0))
    assert math.isnan(derive(text, a=6.0, b=-0.0))


@pytest.mark.parametrize("text", ["a + b", "a / b", "min(a, b)", "max(b, a)", "exp(b)", "log1p(b)", "abs(b)", "0 * b"])
def test_what_has_a_missing_part_is_missing(text: str) -> None:
    assert math.isnan(derive(text, a=6.0, b=NAN))


@pytest.mark.parametrize(
    "text", ["log1p(a)", "exp(a)", "log(1 + a)", "sqrt(a)", "a / 3", "a * a", "1 / a * b", "b - a"]
)
def test_extreme_values_are_computed_alike(text: str) -> None:
    edges = [0.0, -0.0, LEAST, -LEAST, 1e-30, -1.0, 1.0, 88.7, 88.8, -103.0, -104.0, LARGEST, -LARGEST, INF, -INF, NAN]
    one, other = np.meshgrid(edges, edges)
    derive(text, a=one.ravel().tolist(), b=other.ravel().tolist())


def test_a_step_in_between_may_exceed_float32() -> None:
    assert derive("a * a / a", a=1e30) == np.float32(1e30)
    assert derive("min(exp(a), 5)", a=200.0) == 5.0


def test_a_small_share_keeps_its_digits() -> None:
    assert derive("log1p(a)", a=1e-12) == np.float32(math.log1p(float(np.float32(1e-12))))


def test_a_difference_of_large_values_keeps_its_digits() -> None:
    assert derive("(a + 0.25) - a", a=2.0**24) == 0.25


@pytest.mark.medium
@pytest.mark.parametrize("text", ["log(a)", "exp(a)", "log1p(a)", "sqrt(a)", "a / 7", "1 / a * b", "a * b - b"])
def test_many_rows_are_computed_alike(text: str) -> None:
    rng = np.random.default_rng(2)
    one, other = (rng.lognormal(0, 3, size=200_001).astype(np.float32).tolist() for _ in range(2))
    derive(text, a=one, b=other)
