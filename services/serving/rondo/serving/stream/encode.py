"""Encodes answers. The parts that the answers of a micro-batch share are encoded once."""

from __future__ import annotations

from functools import lru_cache, partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.tasks.base import Output
    from rondo.serving.outputs.schema import Outputs, OutputSchema

# A part of an answer: bytes that all rows share, or a function from the outputs of N rows to N values.
Part: TypeAlias = "bytes | Callable[[Outputs], Iterable[bytes]]"

_encode = msgspec.json.Encoder().encode
_MODELS = 256  # whose parts are cached


def encode_answers(
    model: str,
    model_version: int,
    digest: str,
    ids: Sequence[str],
    schema: OutputSchema,
    outputs: Outputs,
    made_at: datetime,
) -> list[bytes]:
    """Return one `PredictionMade` as JSON per id, in the same order. Every row of `outputs` must be answerable."""
    before = b'{"model":%b,"model_version":%d,"digest":%b,"made_at":%b,"id":' % (
        _encode(model), model_version, _encode(digest), _encode(made_at),
    )  # fmt: skip
    values = (repeat(part) if isinstance(part, bytes) else part(outputs) for part in _parts(schema))
    return list(map(b"".join, zip(repeat(before), map(_encode, ids), *values)))


@lru_cache(_MODELS)
def _parts(schema: OutputSchema) -> tuple[Part, ...]:
    """Return the parts that follow an id. Adjacent constants are joined."""
    found: list[Part] = [b',"output":{']
    for place, output in enumerate(schema.outputs):
        found += [(b"," if place else b"") + _encode(output.name) + b":", *_values(output, schema)]
    found.append(b"}}")
    merged: list[Part] = []
    for part in found:
        if isinstance(part, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    return tuple(merged)


def _values(output: Output, schema: OutputSchema) -> Iterator[Part]:
    if output.kind == "number":
        yield partial(_number, output.name)
    elif output.kind == "label":
        yield partial(_label, output.name, [_encode(label) for label in schema.labels])
    else:
        for place, label in enumerate(schema.classes):
            yield (b"," if place else b"{") + _encode(label) + b":"
            yield partial(_probability, output.name, place)
        yield b"}"


def _number(name: str, outputs: Outputs) -> list[bytes]:
    return _numbers(outputs[name])


def _label(name: str, texts: list[bytes], outputs: Outputs) -> list[bytes]:
    return [texts[place] for place in outputs[name].tolist()]


def _probability(name: str, place: int, outputs: Outputs) -> list[bytes]:
    return _numbers(outputs[name][:, place])


def _numbers(values: NDArray[Any]) -> list[bytes]:
    """Encode numbers with the fewest digits that read back as the same float32."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
