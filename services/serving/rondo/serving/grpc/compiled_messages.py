"""Fast paths for the common form of inference over gRPC: a raw tensor for each feature, and all outputs.

A client describes its tensors with the same bytes in each request, and only their contents change. A request is
therefore parsed with its tensors as bytes. The first accepted request with these bytes gives the layout of all later
ones. This takes a tenth of the time of `tensors`, which decodes all other requests and finds their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, Self

from rondo.contracts.text import MAX_ID
from rondo.serving.grpc import tensors
from rondo.serving.grpc.messages import undecoded_class
from rondo.serving.open_inference import binary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.serving.grpc.messages import Message
    from rondo.serving.open_inference.response import InferenceResponse
    from rondo.serving.requests.schema import RequestSchema

# In these classes, fields that are messages are bytes.
_REQUEST = undecoded_class("inference.ModelInferRequest")
_RESPONSE = undecoded_class("inference.ModelInferResponse")
# The number of models, with a few for each while their versions change, and the number of layouts of a model, one for
# each common number of rows. The keys of a model then have at most 1 MiB.
_MAX_SCHEMAS, _MAX_LAYOUTS = 256, 16
# The number of models' outputs, times the common numbers of rows.
_MAX_OUTPUTS = 1_024
_MAX_LAYOUT_BYTES = 64 * 1024


def parse(body: bytes) -> Message:
    """Return a request whose tensors, requested outputs and parameters are bytes.

    Raises:
        DecodeError: the bytes are not a `ModelInferRequest`.

    """
    return _REQUEST.FromString(body)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The layout of the raw contents of requests with the same tensors of N rows.

    `places` are the positions of the features among the tensors, in the order of the model's signature. `numbers` is
    the `struct` format of the concatenated tensors without texts, whose sizes in bytes are given.
    """

    rows: int
    places: Sequence[int]
    sizes: Sequence[int]
    numbers: Struct
    texts: Mapping[int, str]

    @classmethod
    def of(cls, inputs: Sequence[Message], features: Sequence[str], rows: int) -> Self:
        names = [each.name for each in inputs]
        texts = {place: each.name for place, each in enumerate(inputs) if each.datatype == "BYTES"}
        codes = [f"{rows}{binary.CODES[each.datatype]}" for each in inputs if each.datatype != "BYTES"]
        sizes = [Struct(f"<{code}").size for code in codes]
        return cls(rows, [names.index(name) for name in features], sizes, Struct("<" + "".join(codes)), texts)

    def values(self, raw: Sequence[bytes]) -> Sequence[Sequence[Any]] | None:
        """Return the values of each feature. None if the number of bytes does not fit the layout.

        Raises:
            RequestRefusedError: a text is not UTF-8.

        """
        numbers = [each for place, each in enumerate(raw) if place not in self.texts] if self.texts else raw
        if list(map(len, numbers)) != self.sizes:
            return None
        columns = self._divided(self.numbers.unpack(b"".join(numbers)))
        # Insert in ascending order of the positions, because each insertion shifts the columns after it.
        for place, name in self.texts.items():
            columns.insert(place, binary.decode(name, "BYTES", [self.rows], raw[place]))
        return [columns[place] for place in self.places]

    def _divided(self, numbers: Sequence[Any]) -> list[Sequence[Any]]:
        if any(value != value for value in numbers):  # noqa: PLR0124 - NaN is not itself
            numbers = binary.without_nan(numbers)
        if self.rows == 1:
            return list(zip(numbers, strict=True))
        return [numbers[start : start + self.rows] for start in range(0, len(numbers), self.rows)]


class Layouts:
    """The layouts of requests to models with these features, by the bytes of their tensors."""

    def __init__(self, schema: RequestSchema) -> None:
        self._features = list(schema.features)
        self._required = [place for place, each in enumerate(schema.features.values()) if not each.optional]
        self._known: dict[tuple[bytes, ...], _Layout] = {}

    def decode(self, parsed: Message) -> tuple[Mapping[str, Sequence[Any]], int] | None:
        """Return the values of N rows by feature, and N. None if the request must be decoded in full.

        Raises:
            RequestRefusedError: a text is not UTF-8.

        """
        if parsed.parameters or parsed.outputs or len(parsed.id) > MAX_ID:
            return None
        inputs, raw = parsed.inputs, parsed.raw_input_contents
        if len(inputs) != len(self._features) or len(raw) != len(inputs):
            return None
        layout = self._known.get(tuple(inputs))
        if layout is None or (columns := layout.values(raw)) is None:
            return None
        if any(None in columns[place] for place in self._required):
            return None
        return dict(zip(self._features, columns, strict=True)), layout.rows

    def learn(self, parsed: Message, request: Message, rows: int) -> None:
        """Keep the layout of an accepted request with `rows` rows for later requests with the same tensors."""
        names = [each.name for each in request.inputs]
        size = sum(map(len, parsed.inputs)) if len(names) == len(self._features) else 0
        if not request.raw_input_contents or sorted(names) != sorted(self._features) or size > _MAX_LAYOUT_BYTES:
            return
        if len(self._known) >= _MAX_LAYOUTS:
            del self._known[next(iter(self._known))]
        self._known[tuple(parsed.inputs)] = _Layout.of(request.inputs, self._features, rows)


@lru_cache(_MAX_SCHEMAS)
def layouts(schema: RequestSchema) -> Layouts:
    return Layouts(schema)


def encode(answer: InferenceResponse) -> bytes:
    """Return a `ModelInferResponse` with raw contents."""
    if answer.warnings:
        described = tensors.response(replace(answer, outputs=()))
        described.outputs.extend(tensors.output(tensor) for tensor, _ in answer.outputs)
        contents = (binary.encode(tensor["datatype"], values) for tensor, values in answer.outputs)
        described.raw_output_contents.extend(contents)
        warned: bytes = described.SerializeToString()
        return warned
    found: bytes = _RESPONSE(
        model_name=answer.model,
        model_version=answer.version,
        id=answer.request_id,
        outputs=[_described(tensor) for tensor, _ in answer.outputs],
        raw_output_contents=[binary.encode(tensor["datatype"], values) for tensor, values in answer.outputs],
    ).SerializeToString()
    return found


def _described(tensor: Mapping[str, Any]) -> bytes:
    labels = tensor.get("parameters", {}).get("labels", ())
    return _output(tensor["name"], tensor["datatype"], tuple(tensor["shape"]), tuple(labels))


@lru_cache(_MAX_OUTPUTS)
def _output(name: str, datatype: str, shape: tuple[int, ...], labels: tuple[str | int, ...]) -> bytes:
    parameters = {"labels": list(labels)} if labels else {}
    described = {"name": name, "datatype": datatype, "shape": list(shape), "parameters": parameters}
    found: bytes = tensors.output(described).SerializeToString()
    return found
