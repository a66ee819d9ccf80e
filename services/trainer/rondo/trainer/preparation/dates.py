"""Parts of dates: year, month, day, weekday (1 is Monday, 7 Sunday) and hour of ISO 8601 texts, as numbers.

The parts are taken as they are written: a time zone shifts none of them. All parts of a text that is no date are NaN,
and so is the hour of a date without a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from onnx import TensorProto

from rondo.contracts.spec.preparation.vocabularies import DatePart
from rondo.trainer.preparation.onnx_nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

# The first version with `RegexFullMatch`, `StringSplit` and `StringConcat`.
OPSET = 20
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?"
_ZONE = "(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
# The valid days of the years 1 to 9999. RE2, which onnxruntime uses, and polars interpret the pattern alike.
PATTERN = f"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)(?:[T ]{_TIME}{_ZONE}?)?"
# The graph splits this text in place of one that is no date.
_PLACEHOLDER = "0001-01-01"
# Day and hour by text, for a day alone and a day with its hour: ONNX can't cut texts at a position.
_DAYS = {f"{day:02}": (day, np.nan) for day in range(1, 32)}
_DAYS |= {f"{day:02}{mark}{hour:02}": (day, hour) for day in range(1, 32) for mark in "T " for hour in range(24)}
# The table of months of Sakamoto's rule, shifted so that the remainder by 7 is 0 on Mondays.
_MONTHS = np.array([0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4]) + 6


@dataclass(frozen=True)
class DateParts:
    """The parts of one feature, in their order."""

    parts: tuple[str, ...]

    def apply(self, text: pl.Series) -> NDArray[np.float32]:
        """Return a column for each part, shape `[rows, parts]`."""
        is_date = pl.col("text").str.contains(f"^(?:{PATTERN})$")
        dates = pl.DataFrame({"text": text}).select(pl.when(is_date).then("text"))
        return dates.select(_part(part) for part in self.parts).to_numpy()

    def onnx_nodes(self, text: str, outputs: Mapping[str, str]) -> Sequence[onnx.NodeProto]:
        """Return the nodes from `text`, `[N, 1]`, to the tensor that `outputs` names for each part, float32 `[N, 1]`.

        N is at least 1, and the graph has `OPSET`.
        """
        nodes = Nodes(f"{text}.date")
        is_date = nodes.add("RegexFullMatch", text, pattern=PATTERN)
        read = nodes.add("Where", is_date, text, nodes.constant(_PLACEHOLDER))
        year, month, rest = _split(nodes, read, "-", 3)
        # One more colon makes "05T13:30Z" and "05" split into at least two parts in every row.
        day_and_hour, _ = _split(nodes, nodes.add("StringConcat", rest, nodes.constant(":")), ":", 2)
        missing = nodes.constant(np.float32("nan"))
        for part in self.parts:
            number = _number(nodes, part, year, month, day_and_hour)
            nodes.add("Where", is_date, number, missing, name=outputs[part])
        return nodes.made


def _part(part: str) -> pl.Expr:
    text = pl.col("text")
    year, month, day = (text.str.slice(start, length).cast(pl.Int32) for start, length in ((0, 4), (5, 2), (8, 2)))
    hour = text.str.slice(11, 2)
    parts = {
        DatePart.YEAR: year,
        DatePart.MONTH: month,
        DatePart.DAY: day,
        DatePart.WEEKDAY: pl.date(year, month, day).dt.weekday(),
        DatePart.HOUR: pl.when(hour != "").then(hour).cast(pl.Int32),
    }
    return parts[DatePart(part)].cast(pl.Float32).fill_null(float("nan")).alias(part)


def _split(nodes: Nodes, text: str, delimiter: str, parts: int) -> list[str]:
    """Split a text, and return the first `parts` parts, each `[N, 1]`. Every row has at least that many."""
    split = nodes.add("StringSplit", text, delimiter=delimiter, maxsplit=parts - 1)
    return [nodes.add("Gather", split, nodes.constant(np.array(part)), axis=2) for part in range(parts)]


def _number(nodes: Nodes, part: str, year: str, month: str, day_and_hour: str) -> str:
    """Return a part of a date as float32, shape `[N, 1]`."""
    days, hours = np.array(list(_DAYS.values()), dtype=np.float32).T
    if part == DatePart.HOUR:
        return nodes.look_up(day_and_hour, list(_DAYS), hours, float("nan"))
    if part == DatePart.WEEKDAY:
        day = nodes.look_up(day_and_hour, list(_DAYS), days.astype(np.int64), 0)
        return nodes.add("Cast", _weekday(nodes, year, month, day), to=TensorProto.FLOAT)
    if part == DatePart.DAY:
        return nodes.look_up(day_and_hour, list(_DAYS), days, float("nan"))
    return nodes.add("Cast", year if part == DatePart.YEAR else month, to=TensorProto.FLOAT)


def _weekday(nodes: Nodes, year: str, month: str, day: str) -> str:
    """Return the weekday by Sakamoto's rule as int64. `year` and `month` are texts, `day` is int64.

    January and February count as part of the previous year. Each year shifts the weekday by one, and a leap year by one
    more. A leap year is divisible by 4, and not by 100 unless by 400.
    """
    whole_year, whole_month = (nodes.add("Cast", text, to=TensorProto.INT64) for text in (year, month))
    early = nodes.add("Cast", nodes.add("Less", whole_month, nodes.constant(np.array(3))), to=TensorProto.INT64)
    parts = nodes.add("Div", nodes.add("Sub", whole_year, early), nodes.constant(np.array([[1, 4, -100, 400]])))
    moved = nodes.add("ReduceSum", parts, nodes.constant(np.array([1])), keepdims=1)
    of_month = nodes.add("Gather", nodes.constant(np.insert(_MONTHS, 0, 0)), whole_month)
    days = nodes.add("Add", nodes.add("Add", moved, of_month), day)
    return nodes.add("Add", nodes.add("Mod", days, nodes.constant(np.array(7))), nodes.constant(np.array(1)))
