"""How the requests of one signature are laid out: the JSON they come as, and the columns they become.

A decoder is compiled for each signature, so that type checks and extraction cost no Python per value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import numpy as np

from rondo.contracts.text import MAX_ID
from rondo.serving.requests.event_times import Time
from rondo.serving.requests.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
# An int is read as a number first: many writers say 3.0 for 3. `columns` refuses 3.5.
_TYPES: dict[str, Any] = {"category": str, "float": float, "int": float, "bool": bool}
Row: TypeAlias = Any
Column: TypeAlias = "NDArray[np.float32] | NDArray[np.object_]"


@dataclass(frozen=True, slots=True)
class Columns:
    """N rows as columns. `features` are float32 (NaN = missing) or text ("" = missing), each of shape [N].

    `bad` are the rows that hold a value which is not allowed: past float32, with a fraction where an int belongs, or
    outside of what the feature's `min`, `max` and `values` allow.
    """

    features: dict[str, Column]
    bad: frozenset[int]


class Layout:
    """The layout of one model's requests; `row` is the msgspec class that they are read as."""

    def __init__(self, model: str, features: Mapping[str, Feature]) -> None:
        self.model = model
        self.features = features
        self.limits = {name: Limits.of(feature) for name, feature in features.items()}
        # Neutral field names: a feature may be called `class`, or anything else that Python keeps for itself.
        names = {f"f{number}": name for number, name in enumerate(features)}
        values = [_field(field, features[name]) for field, name in names.items()]
        struct = msgspec.defstruct("Features", values, rename=names, gc=False, kw_only=True)
        self.row: type[msgspec.Struct] = msgspec.defstruct(
            "Row",
            [("id", _Id), ("features", struct), ("entity", _Id | None, None), ("event_time", Time | None, None)],
            tag_field="model", tag=model, gc=False,
        )  # fmt: skip

    def columns(self, rows: Sequence[Row]) -> Columns:
        """Turn at least one row into columns."""
        as_tuple = msgspec.structs.astuple
        values = zip(*[as_tuple(row.features) for row in rows], strict=True)
        features: dict[str, Column] = {}
        bad: set[int] = set()
        for (name, feature), column in zip(self.features.items(), values, strict=True):
            features[name] = _text(column) if feature.type == "category" else _numbers(column)
            bad.update(self.limits[name].outside(features[name]))
        return Columns(features, frozenset(bad))


def _field(name: str, feature: Feature) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _TYPES[feature.type]
    return (name, kind | None, None) if feature.optional else (name, kind)


def _numbers(column: Sequence[float | None]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.array(column, dtype=np.float32)


def _text(column: Sequence[str | None]) -> NDArray[np.object_]:
    return np.array([value or "" for value in column] if None in column else column, dtype=np.object_)
