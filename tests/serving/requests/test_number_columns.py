"""Numbers of requests are converted to float32 as by numpy, on each code path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.serving.open_inference.rows import TensorSource
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from rondo.serving.requests.rows import Rows

SCHEMA = RequestSchema("delay", {"a": Feature(type="float", optional=True), "b": Feature(type="int", optional=True)})


def columns(a: Sequence[float | None], b: Sequence[float | None], schema: RequestSchema = SCHEMA) -> Rows:
    ids, nothing, values = [str(row) for row in range(len(a))], [None] * len(a), {"a": a, "b": b}
    return schema.columns(ids, nothing, nothing, values, TensorSource(values))


def converted(values: Sequence[float | None]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.array([np.nan if value is None else value for value in values], np.float32)


NUMBERS = st.floats() | st.integers(-(2**70), 2**70) | st.booleans()


@pytest.mark.medium
@pytest.mark.parametrize("missing", [False, True])
@given(data=st.data())
def test_numbers_are_rounded_as_by_numpy(missing: bool, data: st.DataObject) -> None:  # noqa: FBT001
    values = NUMBERS | st.none() if missing else NUMBERS
    a, b = (data.draw(st.lists(values, min_size=5, max_size=5)) for _ in range(2))
    found = columns(a, b)
    for name, sent in (("a", a), ("b", b)):
        assert found.columns[name].dtype == np.float32
        np.testing.assert_array_equal(found.columns[name], converted(sent))
    assert found.numbers is not None
    np.testing.assert_array_equal(found.numbers, [converted(a), converted(b)])


@pytest.mark.parametrize("value", [1e39, -1e39, 10**400, -(10**400), 3.4028235677973366e38])
def test_a_number_past_float32_is_infinite(value: float) -> None:
    found = columns([1.5, value], [2, 3])
    assert found.columns["a"].tolist() == [1.5, np.inf if value > 0 else -np.inf]
    assert found.columns["b"].tolist() == [2, 3]


@pytest.mark.medium
def test_as_many_numbers_as_a_request_may_have_are_converted() -> None:
    rows = 120_000
    found = columns(range(rows), [None] * rows)
    np.testing.assert_array_equal(found.columns["a"], np.arange(rows, dtype=np.float32))
    assert np.isnan(found.columns["b"]).all()
