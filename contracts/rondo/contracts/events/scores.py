"""Bulk requests and their answers: Arrow IPC streams, one record batch per message.

A message of `scores.requested` has the columns `feature.<name>`, and may have `entity` and `event_time`. The metadata
of its schema names the version that scores, with the digest of its artifact and its features, so that a replica needs
no deployment of it. A message of `scores.made` has a row for each row of the request, in the same order: `row`,
`entity`, `event_time`, the outputs of the task, and `error` and `message` if the row is refused. `job` and `part` are
copied from the request. A request that can't be scored at all has an answer without rows, and `error` and `message` in
its metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import pyarrow as pa
from pydantic import Field, TypeAdapter, ValidationError

from rondo.contracts.events import arrow_sizes
from rondo.contracts.events.logs import FEATURE, TIMESTAMP
from rondo.contracts.spec.feature_types import is_known, unknown_type_sentence, unknown_types
from rondo.contracts.spec.model import Feature
from rondo.contracts.text import MAX_ID, Column, Digest, Id, Name, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rondo.contracts.tasks.base import Output

SCORES_REQUESTED = "scores.requested"
SCORES_MADE = "scores.made"
ROW, ENTITY, EVENT_TIME, ERROR, MESSAGE = "row", "entity", "event_time", "error", "message"
# The limit of rows in one message, so that the memory of a replica does not depend on the size of a job's data.
MAX_ROWS = 65_536
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# The limit of a message's decompressed buffers, because a small message can decompress to any size. It also holds for
# the answer.
MAX_BYTES = 64 * 1024 * 1024
# The limit of the texts of all rows. A dictionary or a view repeats one text in many rows, and inference copies it for
# each.
MAX_TEXT_BYTES = 128 * 1024 * 1024
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")
_FEATURES: TypeAdapter[dict[str, Feature]] = TypeAdapter(dict[Column, Feature])
# A name becomes a label of metrics. The other fields are copied to the answer.
_TYPES: dict[str, TypeAdapter[str]] = {
    "job": TypeAdapter(Id), "model": TypeAdapter(Name), "digest": TypeAdapter(Digest),
    "attempt": TypeAdapter(Annotated[Text, Field(max_length=MAX_ID)]),
}  # fmt: skip
_NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, lt=2**53)])


class InvalidScoreRequestError(ValueError):
    """A message of `scores.requested` does not have the form of a request. None of its rows can be scored."""

    code = "invalid_score_request"


class ScoreRequestTooLargeError(InvalidScoreRequestError):
    """A message takes more memory than a replica gives to one message. Its rows can be sent in several messages."""

    code = "too_large"


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """The version that a bulk request names, and the request's place in a job.

    `first_row` is the number of the request's first row. `attempt` distinguishes the attempts of a job that failed and
    was requested again.
    """

    job: str
    part: int
    model: str
    model_version: int
    digest: str
    features: Mapping[str, Feature]
    first_row: int = 0
    attempt: str = ""

    @property
    def key(self) -> str:
        """The message key of the request and of its answer."""
        return f"{self.job}/{self.part}"

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the request's schema."""
        about = {name: str(getattr(self, name)) for name in _TEXTS}
        about |= {"attempt": self.attempt} if self.attempt else {}
        return about | {"features": _FEATURES.dump_json(dict(self.features), by_alias=True).decode()}

    def answer_metadata(self, classes: Sequence[str] = ()) -> dict[str, str]:
        """Return the metadata of the answer's schema.

        `classes` are the classes of the probabilities, in their order.
        """
        about = {name: str(getattr(self, name)) for name in _TEXTS}
        about |= {"attempt": self.attempt} if self.attempt else {}
        return about | ({"classes": json.dumps(list(classes))} if classes else {})

    @classmethod
    def of(cls, schema: pa.Schema) -> Self:
        """Parse the metadata of a request.

        Raises:
            InvalidScoreRequestError: a key is missing, or its value can't be parsed.

        """
        try:
            found = {key.decode(): value for key, value in (schema.metadata or {}).items()}
            texts = {name: found[name].decode() for name in _TEXTS}
            numbers = {
                name: _NUMBER.validate_python(texts.pop(name)) for name in ("part", "model_version", "first_row")
            }
            # Requests of earlier releases have no attempt.
            texts["attempt"] = found.get("attempt", b"").decode()
            for name, kind in _TYPES.items():
                kind.validate_python(texts[name])
            return cls(**texts, **numbers, features=_FEATURES.validate_json(found["features"]))  # type: ignore[arg-type]
        except (KeyError, ValueError, ValidationError) as error:
            why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            message = f"the metadata of the schema can't be read ({why}): send {', '.join(_TEXTS)} and features"
            raise InvalidScoreRequestError(message) from None


_TEXTS = ("job", "part", "model", "model_version", "digest", "first_row")


def encode(batch: pa.RecordBatch) -> bytes:
    """Encode one record batch as an Arrow IPC stream with compressed buffers."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def decode(value: bytes) -> pa.RecordBatch:
    """Decode the one record batch of a message.

    Raises:
        ScoreRequestTooLargeError: the batch has more than `MAX_BYTES` or `MAX_TEXT_BYTES` once decompressed.
        InvalidScoreRequestError: the bytes are not an Arrow IPC stream with one record batch of at most `MAX_ROWS`
            rows.

    """
    try:
        _require_bounded("buffers", arrow_sizes.decompressed_bytes(value), MAX_BYTES)
        with pa.ipc.open_stream(value) as reader:
            batches = list(reader)
        for batch in batches:
            _require_bounded("texts", arrow_sizes.view_bytes(batch), MAX_TEXT_BYTES)
            # The sender may have written offsets and indices that lie outside of their buffers.
            batch.validate(full=True)
            # raises an error if the bytes of the names are not UTF-8, which Arrow checks only here
            _ = batch.schema.names
            _require_bounded("texts", text_bytes(batch), MAX_TEXT_BYTES)
    except InvalidScoreRequestError:
        raise
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        message = f"the value is no Arrow IPC stream ({why}): send one record batch"
        raise InvalidScoreRequestError(message) from None
    if len(batches) != 1 or batches[0].num_rows > MAX_ROWS:
        rows = sum(batch.num_rows for batch in batches)
        message = f"the value has {len(batches)} record batches with {rows:,} rows: send one of at most {MAX_ROWS:,}"
        raise InvalidScoreRequestError(message)
    return batches[0]


def _require_bounded(what: str, size: int, most: int) -> None:
    if size > most:
        message = f"the {what} of the message have {size:,} bytes, and {most:,} is the limit: send fewer rows at once"
        raise ScoreRequestTooLargeError(message)


def text_bytes(batch: pa.RecordBatch) -> int:
    """Return the bytes of the texts in dictionaries and views, counted once for each row that has the text."""
    return arrow_sizes.view_bytes(batch) + arrow_sizes.dictionary_text_bytes(batch)


def answer_schema(outputs: Iterable[Output], labels: pa.DataType) -> pa.Schema:
    """Return the columns of an answer. `labels` is the type of a label: a text, or a whole number."""
    kinds = {"number": pa.float32(), "label": labels, "probabilities": pa.list_(pa.float32())}
    head = [(ROW, pa.int64()), (ENTITY, pa.string()), (EVENT_TIME, TIMESTAMP)]
    answers = [(output.name, kinds[output.kind]) for output in outputs]
    return pa.schema([*head, *answers, (ERROR, pa.string()), (MESSAGE, pa.string())])


def column_of(feature: str) -> str:
    """Return the column of a feature in a request."""
    return f"{FEATURE}{feature}"


def misfits(features: Mapping[str, Feature], types: Mapping[str, pa.DataType], reader: str) -> list[str]:
    """Return a sentence for each feature whose column is missing from `types` or has a type that does not fit.

    No column fits a feature whose type is unknown to this release of `reader`.
    """
    found = of_unknown_types(features, reader)
    for name, feature in features.items():
        kind = types.get(name)
        if not is_known(feature.type):
            continue
        if kind is None:
            if not feature.optional:
                found.append(f"the column {name} ({feature.type}) is missing")
        elif not _fits(kind, feature):
            found.append(f"the column {name} is {kind}, and the version needs {_WANTED[feature.type]}")
    return found


def of_unknown_types(features: Mapping[str, Feature], reader: str) -> list[str]:
    """Return a sentence for each feature whose type is unknown to this release of `reader`."""
    return [unknown_type_sentence(f"the column {name}", word, reader) for name, word in unknown_types(features).items()]


_WANTED = {"category": "texts", "float": "numbers", "int": "whole numbers", "bool": "true and false"}


def _fits(kind: pa.DataType, feature: Feature) -> bool:
    if pa.types.is_null(kind):
        return feature.optional
    if feature.type == "category":
        return _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)
    if feature.type == "bool":
        return bool(pa.types.is_boolean(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
