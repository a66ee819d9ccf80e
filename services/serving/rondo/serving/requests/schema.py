"""The request schema of one model: the JSON of a request, and the columns of requests.

msgspec compiles a decoder per signature, so type checks and extraction cost no Python per value.
"""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import numpy as np

from rondo.contracts.spec.data import LARGEST_FLOAT32
from rondo.contracts.text import MAX_ID
from rondo.contracts.vocabularies import UnknownFields
from rondo.serving.requests.event_times import Time
from rondo.serving.requests.limits import Limits, NumberLimits
from rondo.serving.requests.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column, Source

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
# A number is decoded for an int, because many programs send 3.0 for 3. `Limits` refuses 3.5.
_TYPES: dict[str, Any] = {"category": str, "float": float, "int": float, "bool": bool}
# One decoded request, an object of the struct class of `RequestSchema`. Each model has another class.
Request: TypeAlias = Any
# The most numbers that one call takes: each is an argument of it.
_MAX_PACKED = 100_000


class RequestSchema:
    """The schema of one model's requests. `request` is the msgspec class to which they are decoded.

    `unknown` is the treatment of a request with unknown features or fields. With `warn`, `request` is the class of
    requests without unknown names, and `tolerant` is the class of the others. `needed_by` has the version that needs a
    feature which other versions do not have.
    """

    def __init__(
        self,
        model: str,
        features: Mapping[str, Feature],
        unknown: UnknownFields = UnknownFields.REFUSE,
        *,
        needed_by: Mapping[str, int] | None = None,
    ) -> None:
        self.model = model
        self.features = features
        self.unknown = unknown
        self.needed_by = needed_by or {}
        self.limits = {name: Limits.of(feature) for name, feature in features.items()}
        self._numeric = [name for name, feature in features.items() if feature.type != "category"]
        self.texts = [name for name, feature in features.items() if feature.type == "category"]
        self.number_limits = NumberLimits([self.limits[name] for name in self._numeric])
        self.request = self._request(strict=unknown != UnknownFields.IGNORE)
        self.tolerant = self._request(strict=False) if unknown == UnknownFields.WARN else None

    @property
    def ignore_unknown(self) -> bool:
        """True if a request with unknown features or fields is answered."""
        return self.unknown != UnknownFields.REFUSE

    def _request(self, *, strict: bool) -> type[msgspec.Struct]:
        options: dict[str, Any] = {"forbid_unknown_fields": strict, "gc": False}
        # Neutral field names, because a feature may be called `class` or have the name of another Python keyword.
        names = {f"f{number}": name for number, name in enumerate(self.features)}
        values = [_field(field, self.features[name]) for field, name in names.items()]
        struct = msgspec.defstruct("Features", values, rename=names, kw_only=True, **options)
        return msgspec.defstruct(
            "Request",
            [("id", _Id), ("features", struct), ("entity", _Id | None, None), ("event_time", Time | None, None)],
            tag_field="model", tag=self.model, **options,
        )  # fmt: skip

    def rows(self, requests: Sequence[Request], source: Source) -> Rows:
        """Convert at least one decoded request to rows."""
        as_tuple = msgspec.structs.astuple
        values = zip(*[as_tuple(request.features) for request in requests], strict=True)
        return self.columns(
            [request.id for request in requests],
            [request.entity for request in requests],
            [request.event_time for request in requests],
            dict(zip(self.features, values, strict=True)),
            source,
        )

    def values(self, request: Request) -> Mapping[str, Any]:
        """Return the values of a decoded request by feature."""
        return dict(zip(self.features, msgspec.structs.astuple(request.features), strict=True))

    def columns(
        self,
        ids: Sequence[str],
        entities: Sequence[str | None],
        event_times: Sequence[datetime | None],
        values: Mapping[str, Sequence[Any]],
        source: Source,
    ) -> Rows:
        """Convert the values of N rows by feature, with None for missing values, to rows."""
        numbers = _numbers([values[name] for name in self._numeric], len(ids))
        texts = {name: text_column(values[name]) for name in self.texts}
        return Rows(ids, entities, event_times, self._columns(numbers, texts), source, numbers)

    def of_version(self, rows: Rows) -> Rows:
        """Return rows with only the features of this schema, from rows that also have those of other versions."""
        numeric = [rows.columns[name] for name in self._numeric]
        numbers = np.array(numeric, np.float32).reshape(len(numeric), len(rows))
        texts: dict[str, Any] = {name: rows.columns[name] for name in self.texts}
        columns = self._columns(numbers, texts)
        return Rows(rows.ids, rows.entities, rows.event_times, columns, rows.source, numbers)

    def joined(self, parts: Sequence[Rows]) -> Rows:
        """Return the parts of the same rows as one. There must be at least one part.

        The source is that of the whole.
        """
        if len(parts) == 1:
            return parts[0]
        numbers = np.concatenate([part.numbers for part in parts if part.numbers is not None], axis=1)
        texts = {name: np.concatenate([part.columns[name] for part in parts]) for name in self.texts}
        return Rows(
            list(chain.from_iterable(part.ids for part in parts)),
            list(chain.from_iterable(part.entities for part in parts)),
            list(chain.from_iterable(part.event_times for part in parts)),
            self._columns(numbers, texts),
            parts[0].source,
            numbers,
        )

    def _columns(self, numbers: NDArray[np.float32], texts: Mapping[str, NDArray[np.object_]]) -> dict[str, Column]:
        found: dict[str, Column] = dict(zip(self._numeric, numbers, strict=True))
        found |= texts
        return {name: found[name] for name in self.features}


def _numbers(columns: Sequence[Sequence[float | None]], rows: int) -> NDArray[np.float32]:
    """Return K columns of N numbers as float32, shape [K, N]. None becomes NaN. The array may be read-only."""
    if not columns:
        return np.empty((0, rows), np.float32)
    if (packed := _packed(columns, rows)) is not None:
        return packed
    with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and `Limits` refuses it
        try:
            return np.array(columns, np.float32)
        except OverflowError:  # an integer beyond float64
            finite = [[_as_float(value) for value in column] for column in columns]
            return np.array(finite, np.float32)


def _packed(columns: Sequence[Sequence[float | None]], rows: int) -> NDArray[np.float32] | None:
    """Return the numbers, in a third of the time of numpy. None if a value is missing or beyond float32."""
    count = len(columns) * rows
    if count > _MAX_PACKED:
        return None
    try:
        content = struct.pack(f"{count}f", *chain.from_iterable(columns))
    except (struct.error, OverflowError):
        return None
    return np.frombuffer(content, np.float32).reshape(len(columns), rows)


def _as_float(value: float | None) -> float | None:
    if value is None or abs(value) <= LARGEST_FLOAT32:
        return value
    return math.inf if value > 0 else -math.inf


def text_column(values: Sequence[str | None]) -> NDArray[np.object_]:
    """Return N texts as a column. The empty text is the missing value."""
    return np.array([value or "" for value in values] if None in values else values, dtype=np.object_)


def _field(name: str, feature: Feature) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _TYPES[feature.type]
    return (name, kind | None, None) if feature.optional else (name, kind)
