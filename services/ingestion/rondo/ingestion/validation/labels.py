"""Converts a column of labels by the rule of its task. The rule is the same as that of `Labels.parse` for one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import polars as pl

from rondo.contracts.batch_files.values import NOT_FINITE
from rondo.contracts.tasks.binary import YES_NO, BinaryLabels
from rondo.contracts.tasks.label_values import LARGEST_WHOLE, NUMBER
from rondo.contracts.tasks.multiclass import MAX_LABEL_CHARACTERS, ClassLabels
from rondo.contracts.tasks.regression import LARGEST_FLOAT32, NumberLabels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rondo.contracts.tasks.base import Labels

# Polars strips four characters fewer than `str.strip`.
BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))
TEXT = (pl.String, pl.Categorical, pl.Enum)


def is_text(dtype: pl.DataType) -> bool:
    return isinstance(dtype, TEXT)


class LabelColumn(Protocol):
    """The rule for a column of labels of one kind. `stored` is the type in which they are published.

    `are_texts` is True if a column of text is the right type for them in a file with types.
    """

    @property
    def stored(self) -> pl.DataType: ...

    @property
    def are_texts(self) -> bool: ...

    def fits(self, dtype: pl.DataType) -> bool:
        """Return whether values of a type other than text may be labels."""
        ...

    def cast(self, values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        """Return stripped values as labels. Null, or a value that one of the `rules` names, is no label."""
        ...

    def rules(self, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
        """Yield each problem of the values of `cast` with an expression that is true where it applies."""
        ...


def label_column(labels: Labels) -> LabelColumn:
    """Return the rule for a column of these labels."""
    return _COLUMNS.get(type(labels), _ParsedColumn)(labels)


@dataclass(frozen=True)
class _BinaryColumn:
    labels: BinaryLabels
    stored: ClassVar[pl.DataType] = pl.Float64()

    @property
    def are_texts(self) -> bool:
        return self.labels.positive is not None

    def fits(self, dtype: pl.DataType) -> bool:
        return dtype.is_numeric() or dtype == pl.Boolean

    def cast(self, values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        if self.are_texts:
            return _mapped(_written(values, dtype), self.labels.texts)
        if is_text(dtype):
            return pl.coalesce(_mapped(values.str.to_lowercase(), YES_NO), _zero_or_one(_number(values, dtype)))
        return _zero_or_one(_number(values, dtype))

    def rules(self, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:  # noqa: ARG002 - null is the only other value
        return iter(())


@dataclass(frozen=True)
class _NumberColumn:
    labels: NumberLabels
    stored: ClassVar[pl.DataType] = pl.Float64()
    are_texts: ClassVar[bool] = False

    def fits(self, dtype: pl.DataType) -> bool:
        return dtype.is_numeric()

    def cast(self, values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        number = _number(values, dtype)
        if not is_text(dtype):
            return number
        return pl.coalesce(number, pl.when(values.str.contains(NOT_FINITE)).then(values.cast(pl.Float64, strict=False)))

    def rules(self, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
        yield "NaN, send the row when its number is known", typed.is_nan()
        yield "infinite, send a finite number", typed.is_infinite()
        too_large = typed.is_finite() & (typed.abs() > LARGEST_FLOAT32)
        yield "more than float32 holds, send it in a larger unit", too_large


@dataclass(frozen=True)
class _ClassColumn:
    labels: ClassLabels
    stored: ClassVar[pl.DataType] = pl.String()
    are_texts: ClassVar[bool] = True

    def fits(self, dtype: pl.DataType) -> bool:
        return dtype.is_integer() or dtype.is_float() or dtype == pl.Boolean

    def cast(self, values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        return _written(values, dtype)

    def rules(self, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
        too_long = typed.str.len_chars() > MAX_LABEL_CHARACTERS
        yield f"more than {MAX_LABEL_CHARACTERS} characters, send a short name of the class", too_long
        unstorable = typed.str.contains("\x00", literal=True)
        yield "holds a NUL character, which can't be stored: remove it", unstorable & ~too_long


@dataclass(frozen=True)
class _ParsedColumn:
    """Labels without a rule for columns. Each distinct value is parsed."""

    labels: Labels

    @property
    def stored(self) -> pl.DataType:
        return pl.String() if self.are_texts else pl.Float64()

    @property
    def are_texts(self) -> bool:
        return self.labels.storage == "text"

    def fits(self, dtype: pl.DataType) -> bool:
        return dtype.is_numeric() or dtype == pl.Boolean

    def cast(self, values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        plain = values.cast(pl.String) if is_text(dtype) else values
        return plain.map_batches(self._parse, return_dtype=self.stored, is_elementwise=True)

    def _parse(self, values: pl.Series) -> pl.Series:
        parsed = {value: self.labels.parse(value) for value in values.unique().to_list()}
        return pl.Series(values.name, [parsed[value] for value in values.to_list()], self.stored)

    def rules(self, typed: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:  # noqa: ARG002 - null is the only other value
        return iter(())


# The labels whose rules polars computes. Other labels are parsed one by one.
_COLUMNS: Mapping[type, Callable[..., LabelColumn]] = {
    BinaryLabels: _BinaryColumn,
    NumberLabels: _NumberColumn,
    ClassLabels: _ClassColumn,
}


def _written(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return values as texts, as `label_text` does with a single one."""
    if is_text(dtype) or dtype == pl.Boolean:
        return values.cast(pl.String)
    whole = values.is_between(-LARGEST_WHOLE, LARGEST_WHOLE)
    if not dtype.is_integer():
        whole &= values == values.floor()
    return pl.when(whole).then(values).cast(pl.Int64, strict=False).cast(pl.String)


def _number(values: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return values as numbers. Texts are converted like by the function `number` of the tasks."""
    if is_text(dtype):
        values = pl.when(values.str.contains(f"^{NUMBER}$")).then(values)
    return values.cast(pl.Float64, strict=False)


def _zero_or_one(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_in([0.0, 1.0])).then((number == 1).cast(pl.Float64))


def _mapped(text: pl.Expr, values: dict[str, float]) -> pl.Expr:
    return text.replace_strict(list(values), list(values.values()), default=None, return_dtype=pl.Float64)
