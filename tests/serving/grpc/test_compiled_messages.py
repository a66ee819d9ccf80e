"""The compiled messages decode what `tensors` and `rows` decode, to the same values, or leave it to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.serving.errors import RequestRefusedError
from rondo.serving.grpc import compiled_messages, tensors
from rondo.serving.grpc.compiled_messages import Layouts
from rondo.serving.grpc.messages import message_class
from rondo.serving.open_inference import binary
from rondo.serving.open_inference import rows as request_rows
from rondo.serving.requests.schema import RequestSchema

from tests.serving.builders import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.serving.grpc.conftest import Client

SCHEMA = RequestSchema("delay", FEATURES)
REQUEST = message_class("inference.ModelInferRequest")
NAN = float("nan")
# Of two rows each, in an order that is not the model's.
USUAL = {
    "night": ("BOOL", [2], [True, False]),
    "carrier": ("BYTES", [2, 1], ["AA", "Ü"]),
    "distance": ("FP32", [2, 1], [1.5, 3.0]),
    "seats": ("INT64", [2], [100, 7]),
}
Tensors = dict[str, tuple[str, list[int], list[Any]]]
NUMBERS = {"FP32": [1.5, -0.0, NAN, 1e38], "FP16": [0.5, NAN], "INT64": [3, -(2**62)], "UINT8": [0, 255]}


def message(sent: Tensors, **fields: Any) -> bytes:
    """Return a request with these tensors, each as its datatype, shape and values."""
    described = [{"name": name, "datatype": datatype, "shape": shape} for name, (datatype, shape, _) in sent.items()]
    raw = [binary.encode(datatype, values) for datatype, _, values in sent.values()]
    content: bytes = REQUEST(
        model_name="delay", inputs=described, **{"raw_input_contents": raw} | fields
    ).SerializeToString()
    return content


def decoded_in_full(content: bytes) -> Any:
    """Return the values by feature and the number of rows, or the code of the error."""
    try:
        rows = request_rows.rows(tensors.request(REQUEST.FromString(content)), SCHEMA, "new")
    except RequestRefusedError as error:
        return error.code
    return rows.values, len(rows)


def learn(layouts: Layouts, content: bytes) -> None:
    _, rows = decoded_in_full(content)
    layouts.learn(compiled_messages.parse(content), REQUEST.FromString(content), rows)


def decoded(layouts: Layouts, content: bytes) -> tuple[Mapping[str, Sequence[Any]], int] | None:
    found = layouts.decode(compiled_messages.parse(content))
    return found and ({name: list(column) for name, column in found[0].items()}, found[1])


@pytest.fixture
def layouts() -> Layouts:
    known = Layouts(SCHEMA)
    learn(known, message(USUAL))
    return known


def test_a_request_with_the_tensors_of_another_has_its_own_values(layouts: Layouts) -> None:
    changed = USUAL | {"distance": ("FP32", [2, 1], [7.0, 9.0]), "carrier": ("BYTES", [2, 1], ["", "longer"])}
    found = decoded(layouts, message(changed))
    assert found is not None
    values, rows = found
    assert values == {"distance": [7, 9], "seats": [100, 7], "night": [True, False], "carrier": ["", "longer"]}
    assert (rows, list(values)) == (2, list(FEATURES))


def test_a_nan_is_none_where_the_feature_is_optional_alone(layouts: Layouts) -> None:
    floats = USUAL | {"seats": ("FP32", [2], [1.0, 2.0])}
    learn(layouts, message(floats))
    found = decoded(layouts, message(floats | {"seats": ("FP32", [2], [NAN, 2.0])}))
    assert found is not None
    assert found[0]["seats"] == [None, 2]
    assert decoded(layouts, message(floats | {"distance": ("FP32", [2, 1], [1.0, NAN])})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"night": ("BOOL", [1], [True])},
        {"distance": ("FP64", [2, 1], [1.0, 2.0])},
        {"distance": ("FP32", [2, 1], [1.0])},
        {"distance": ("FP32", [2, 1], [1.0, 2.0, 3.0])},
        {"rondo.entity": ("BYTES", [2], ["a", "b"])},
    ],
)
def test_other_tensors_or_sizes_are_decoded_in_full(layouts: Layouts, changes: Tensors) -> None:
    assert decoded(layouts, message(USUAL | changes)) is None


@pytest.mark.parametrize(
    "fields",
    [{"id": "x" * 300}, {"outputs": [{"name": "score"}]}, {"parameters": {"p": {"bool_param": True}}},
     {"raw_input_contents": []}],
    ids=["id", "outputs", "parameters", "no contents"],
)  # fmt: skip
def test_a_request_with_more_than_tensors_is_decoded_in_full(layouts: Layouts, fields: dict[str, Any]) -> None:
    assert decoded(layouts, message(USUAL)) is not None
    assert decoded(layouts, message(USUAL, **fields)) is None


def test_a_text_that_is_no_utf_8_is_refused(layouts: Layouts) -> None:
    sent = REQUEST.FromString(message(USUAL))
    sent.raw_input_contents[1] = b"\x01\x00\x00\x00\xff\x00\x00\x00\x00"
    with pytest.raises(RequestRefusedError) as caught:
        layouts.decode(compiled_messages.parse(sent.SerializeToString()))
    assert caught.value.code == "bad_encoding"


@pytest.mark.medium
def test_layouts_are_bounded() -> None:
    known = Layouts(SCHEMA)
    for rows in range(1, 200):
        many: Tensors = {name: (datatype, [rows], values[:1] * rows) for name, (datatype, _, values) in USUAL.items()}
        learn(known, message(many))
        assert decoded(known, message(many)) is not None
    assert len(known._known) == 16


@given(
    st.permutations(list(USUAL)),
    st.sampled_from([[1], [1, 1], [2], [2, 1]]),
    st.sampled_from(list(NUMBERS)),
    st.sampled_from(list(NUMBERS)),
    st.data(),
)
def test_what_is_decoded_is_what_is_decoded_in_full(
    order: list[str], shape: list[int], distance: str, seats: str, data: st.DataObject
) -> None:
    values: dict[str, tuple[str, list[Any]]] = {
        "night": ("BOOL", [True, False]), "carrier": ("BYTES", ["", "AA", "Übergröße"]),
        "distance": (distance, NUMBERS[distance]), "seats": (seats, NUMBERS[seats]),
    }  # fmt: skip
    usual: Tensors = {name: (values[name][0], shape, values[name][1][:1] * shape[0]) for name in order}
    known = Layouts(SCHEMA)
    learn(known, message(usual))
    drawn: Tensors = {
        name: (values[name][0], shape,
               data.draw(st.lists(st.sampled_from(values[name][1]), min_size=shape[0], max_size=shape[0])))
        for name in order
    }  # fmt: skip
    found, full = decoded(known, message(drawn)), decoded_in_full(message(drawn))
    assert found == full or (found is None and full == "missing_feature")


async def test_a_later_request_is_answered_as_the_first(client: Client) -> None:
    sent = {"model_name": "delay", "inputs": REQUEST.FromString(message(USUAL)).inputs, "id": "r"}
    raw = list(REQUEST.FromString(message(USUAL)).raw_input_contents)
    answers = [await client.call("ModelInfer", **sent, raw_input_contents=raw) for _ in range(3)]
    assert answers[0].raw_output_contents
    assert [each.name for each in answers[0].outputs][:2] == ["score", "label"]
    assert answers == answers[:1] * 3
