"""The request schema of one model: the JSON of a request, and the columns that requests become.

msgspec compiles a decoder per signature, so type checks and extraction cost no Python per value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import numpy as np

from rondo.contracts.text import MAX_ID
from rondo.serving.requests.event_times import Time
from rondo.serving.requests.limits import Limits
from rondo.serving.requests.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature
    from rondo.serving.requests.rows import Column

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
# An int is decoded as a number, because many writers send 3.0 for 3. `Limits` refuses 3.5.
_TYPES: dict[str, Any] = {"category": str, "float": float, "int": float, "bool": bool}
# One decoded request: the struct that `RequestSchema` makes. Its class differs from model to model.
Request: TypeAlias = Any


class RequestSchema:
    """The schema of one model's requests; `request` is the msgspec class that they are decoded to.

    A request with a feature or field that is not known is refused, unless `ignore_unknown` is set.
    """

    def __init__(self, model: str, features: Mapping[str, Feature], *, ignore_unknown: bool = False) -> None:
        self.model = model
        self.features = features
        self.ignore_unknown = ignore_unknown
        self.limits = {name: Limits.of(feature) for name, feature in features.items()}
        options: dict[str, Any] = {"forbid_unknown_fields": not ignore_unknown, "gc": False}
        # Neutral field names: a feature may be called `class`, or any other Python keyword.
        names = {f"f{number}": name for number, name in enumerate(features)}
        values = [_field(field, features[name]) for field, name in names.items()]
        struct = msgspec.defstruct("Features", values, rename=names, kw_only=True, **options)
        self.request: type[msgspec.Struct] = msgspec.defstruct(
            "Request",
            [("id", _Id), ("features", struct), ("entity", _Id | None, None), ("event_time", Time | None, None)],
            tag_field="model", tag=model, **options,
        )  # fmt: skip

    def rows(self, requests: Sequence[Request]) -> Rows:
        """Turn at least one decoded request into rows."""
        as_tuple = msgspec.structs.astuple
        values = zip(*[as_tuple(request.features) for request in requests], strict=True)
        with np.errstate(over="ignore"):  # a number past float32 becomes infinite, and `Limits` refuses it
            columns: dict[str, Column] = {
                name: text_column(column) if feature.type == "category" else np.array(column, dtype=np.float32)
                for (name, feature), column in zip(self.features.items(), values, strict=True)
            }
        return Rows(
            [request.id for request in requests],
            [request.entity for request in requests],
            [request.event_time for request in requests],
            columns,
            _Requests(self, requests),
        )


@dataclass(frozen=True, slots=True)
class _Requests:
    """The source of rows that were one request each: an error message needs no row number."""

    schema: RequestSchema
    requests: Sequence[Request]

    def features(self, row: int) -> Mapping[str, Any]:
        return dict(zip(self.schema.features, msgspec.structs.astuple(self.requests[row].features), strict=True))

    def where(self, _: int) -> str:
        return ""


def text_column(values: Sequence[str | None]) -> NDArray[np.object_]:
    """Return N texts as a column, in which the empty text is the missing value."""
    return np.array([value or "" for value in values] if None in values else values, dtype=np.object_)


def _field(name: str, feature: Feature) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _TYPES[feature.type]
    return (name, kind | None, None) if feature.optional else (name, kind)
