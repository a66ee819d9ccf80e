"""The compiled decoder gives the same rows as `protocol` and `rows`, or leaves the body to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.spec.model import Feature
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference import joined_rows
from rondo.serving.open_inference import protocol
from rondo.serving.open_inference import rows as request_rows
from rondo.serving.open_inference.compiled_decoder import compiled_decoder
from rondo.serving.requests.schema import RequestSchema
from rondo.serving.requests.validation import invalid_rows

from tests.serving.http.inference_api import tensor

if TYPE_CHECKING:
    from collections.abc import Callable

FEATURES = {
    "distance": Feature(type="float"),
    "seats": Feature(type="int", optional=True),
    "night": Feature(type="bool"),
    "carrier": Feature(type="category", optional=True),
}
SCHEMA = RequestSchema("delay", FEATURES)
USUAL = [
    tensor("distance", "FP32", 1.5, 3), tensor("seats", "INT64", 2, None), tensor("night", "BOOL", *[True, False]),
    tensor("carrier", "BYTES", "AA", None),
]  # fmt: skip
VALUES = st.sampled_from([1, 2.5, 10**400, -0.0, True, None, "", "AA", "\x00", [1], {}, 2**60 + 1])
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*FEATURES, "rondo.id", "other"]),
        "datatype": st.sampled_from(["FP32", "INT64", "BOOL", "BYTES", "FP128"]),
        "shape": st.sampled_from([[1], [1, 1], [2, 1], [2], [1, 2], [], [0]]),
        "data": st.lists(VALUES, max_size=2),
    }
)


def decoded(body: bytes) -> Any:
    """Return the ids and the columns of a request as `protocol` and `rows` decode it, or the code of its error."""
    try:
        sent = protocol.decode(body)
        rows = request_rows.rows(sent, SCHEMA, sent.id or "new")
    except RequestRefusedError as error:
        return error.code
    return rows.ids, {name: list(column) for name, column in rows.values.items()}


def decoded_by_compiled(body: bytes) -> Any:
    found = compiled_decoder(SCHEMA).decode(body)
    if found is None:
        return None
    rows = found.rows(found.request.id or "new")
    assert rows.source.features(0).keys() == FEATURES.keys()
    return rows.ids, {name: list(column) for name, column in rows.values.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda inputs: inputs,
        lambda inputs: inputs[::-1],
        lambda inputs: [each | {"shape": [2]} for each in inputs],
        lambda inputs: [tensor(each["name"], each["datatype"], each["data"][0]) for each in inputs],
    ],
    ids=["as described", "in another order", "without a second dimension", "one row"],
)
def test_a_tensor_of_each_feature_is_decoded(change: Callable[[list[Any]], list[Any]]) -> None:
    body = msgspec.json.encode({"id": "a", "inputs": change(USUAL), "outputs": [{"name": "score"}]})
    assert decoded_by_compiled(body) == decoded(body)
    assert compiled_decoder(SCHEMA).decode(body).request.requested_outputs(("score", "label")) == ("score",)  # type: ignore[union-attr]


@pytest.mark.medium
@given(st.lists(TENSORS, max_size=3), st.permutations(USUAL), st.sampled_from([None, "", "a", "x" * 300, 1]))
def test_what_is_decoded_is_what_the_general_way_decodes(more: list[Any], usual: list[Any], sent_id: Any) -> None:
    for inputs in (more, usual, usual[1:] + more[:1], usual + more[:1]):
        body = msgspec.json.encode({"id": sent_id, "inputs": inputs})
        assert decoded_by_compiled(body) in (decoded(body), None)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b'{"inputs":' + b"[" * 10_000, b'{"inputs": []}', b"[]"])
def test_what_is_no_request_is_left_to_the_general_way(body: bytes) -> None:
    assert compiled_decoder(SCHEMA).decode(body) is None


@pytest.mark.medium
@pytest.mark.parametrize("count", [200, 2_000])
def test_the_errors_of_a_request_decode_its_body_once(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    columns = {"distance": [1e39], "seats": [2], "night": [True], "carrier": ["AA"]}
    kinds = {"distance": "FP32", "seats": "INT64", "night": "BOOL", "carrier": "BYTES"}
    inputs = [tensor(name, kinds[name], *(values * count)) for name, values in columns.items()]
    found = compiled_decoder(SCHEMA).decode(msgspec.json.encode({"inputs": inputs}))
    assert found is not None
    decoded, decode = list[int](), protocol.decode

    def counted(body: bytes) -> protocol.InferenceRequest:
        decoded.append(len(body))
        return decode(body)

    monkeypatch.setattr(protocol, "decode", counted)
    rows = joined_rows.join([found.rows("a")], SCHEMA)
    errors = invalid_rows(rows, SCHEMA, datetime(2013, 3, 1, 12, tzinfo=UTC))
    assert sorted(errors) == list(range(count))
    assert str(errors[count - 1]).count(f"at row {count - 1}") == 1
    assert len(decoded) == 1
