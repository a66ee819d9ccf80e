"""A message about a shape names a tensor that is wrong, and the number of rows that the others have."""

from __future__ import annotations

import pytest
from rondo.serving.errors import RequestRefusedError
from rondo.serving.open_inference.protocol import InferenceRequest, Tensor
from rondo.serving.open_inference.rows import rows
from rondo.serving.requests.schema import RequestSchema

from tests.serving.builders import FEATURES

DISTANCE, SEATS, NIGHT = "distance", "seats", "night"
THREE = "[3, 1] with 3 values"
_DATATYPES = {DISTANCE: "FP32", SEATS: "INT64", NIGHT: "BOOL"}


def tensor(name: str, shape: list[int], values: int, *, nested: bool = False) -> Tensor:
    data = [True if name == NIGHT else 1] * values
    return Tensor(name, shape, _DATATYPES[name], [data] if nested else data)


@pytest.mark.parametrize(
    ("sent", "wrong", "wanted"),
    [
        ([tensor(DISTANCE, [1, 3], 3), tensor(SEATS, [3, 1], 3), tensor(NIGHT, [3], 3)], DISTANCE, THREE),
        ([tensor(DISTANCE, [1], 1), tensor(SEATS, [3, 1], 3), tensor(NIGHT, [3], 3)], DISTANCE, THREE),
        ([tensor(DISTANCE, [3], 3), tensor(SEATS, [3, 1], 3), tensor(NIGHT, [2], 2)], NIGHT, THREE),
        ([tensor(DISTANCE, [1], 1), tensor(NIGHT, [2], 2)], NIGHT, "[1, 1] with 1 value,"),
        ([tensor(DISTANCE, [], 1), tensor(NIGHT, [1, 1], 1)], DISTANCE, "[1, 1] with 1 value,"),
        ([tensor(DISTANCE, [0], 2), tensor(NIGHT, [2], 2)], DISTANCE, "[2, 1] with 2 values,"),
        ([tensor(DISTANCE, [1, 3], 3), tensor(NIGHT, [1, 3], 3)], DISTANCE, THREE),
        ([tensor(DISTANCE, [1, 3], 3, nested=True), tensor(NIGHT, [3], 3)], DISTANCE, THREE),
        ([tensor(DISTANCE, [1, 3, 1], 0), tensor(NIGHT, [1, 3, 1], 0)], DISTANCE, "[N, 1] with N values"),
    ],
)  # fmt: skip
def test_the_shape_that_most_inputs_have_is_asked_for(sent: list[Tensor], wrong: str, wanted: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        rows(InferenceRequest(sent), RequestSchema("delay", FEATURES), "r")
    assert caught.value.code == "bad_shape"
    assert f"the feature `{wrong}` has shape" in str(caught.value)
    assert f": send shape {wanted}" in str(caught.value)
    values = sum(len(each) if isinstance(each, list) else 1 for each in next(t for t in sent if t.name == wrong).data)
    assert not values or f" and {values} value{'s' * (values != 1)}: send shape" in str(caught.value)


def test_the_ids_have_as_many_rows_as_the_features() -> None:
    ids = Tensor("rondo.id", [2], "BYTES", ["a", "b"])
    with pytest.raises(RequestRefusedError) as caught:
        rows(
            InferenceRequest([ids, tensor(DISTANCE, [1], 1), tensor(NIGHT, [1], 1)]),
            RequestSchema("delay", FEATURES),
            "r",
        )
    assert all(fact in str(caught.value) for fact in ("`rondo.id` has shape [2]", "send shape [1, 1] with 1 value,"))
