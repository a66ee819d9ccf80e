"""The contract of a dataset: the requirements of all models that use it, combined."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from rondo.ingestion.validation.report_limits import first

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.contracts.spec.model import Feature, ModelSpec

Kind = Literal["entity", "time", "label", "category", "float", "int", "bool"]
_KNOWN = 20  # datasets that a message names
BATCH_ID = "batch_id"  # the column that the published table has beside the contract's


@dataclass(frozen=True)
class Column:
    """One column and the values it may have; bounds are inclusive."""

    name: str
    kind: Kind
    optional: bool = False
    low: float | None = None
    high: float | None = None
    values: frozenset[str] | None = None


@dataclass(frozen=True)
class Contract:
    """The columns that a batch of `dataset` must bring, and the share of bad rows from which it is refused."""

    dataset: str
    columns: tuple[Column, ...]
    max_bad_share: float
    digest: str

    @property
    def event_time(self) -> str:
        """The column that says when a row happened."""
        return next(column.name for column in self.columns if column.kind == "time")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)


class NoContractError(ValueError):
    """There is no contract for the dataset: no spec names it, or its specs contradict each other."""


def contract_of(dataset: str, specs: Iterable[ModelSpec]) -> Contract:
    """Combine the specs of `dataset`: per column, the strictest requirement of them.

    Raises:
        NoContractError: no spec names the dataset, or two of them want different types in one column.

    """
    known = sorted(specs, key=lambda spec: spec.model)
    mine = [spec for spec in known if spec.data.dataset == dataset]
    if not mine:
        raise NoContractError(_no_spec(dataset, sorted({spec.data.dataset for spec in known})))
    columns: dict[str, Column] = {}
    for spec in mine:
        for column in _columns(spec):
            columns[column.name] = _both(columns[column.name], column, spec) if column.name in columns else column
    digest = hashlib.sha256("".join(spec.digest for spec in mine).encode()).hexdigest()
    return Contract(dataset, tuple(columns.values()), min(s.data.max_bad_share for s in mine), f"sha256:{digest}")


def _no_spec(dataset: str, datasets: list[str]) -> str:
    close = get_close_matches(dataset, datasets, n=1)
    known = ", ".join(first(datasets, _KNOWN))
    hint = f"did you mean {close[0]!r}? " if close else f"known: {known}. " if datasets else ""
    return f"no model has the dataset {dataset!r}; {hint}Apply a spec with `data: {{dataset: {dataset}}}` first"


def _columns(spec: ModelSpec) -> Iterable[Column]:
    yield Column(spec.data.entity, "entity")
    yield Column(spec.data.event_time, "time")
    for name, feature in spec.features.items():
        # A feature with `from` is joined in, not sent. A spec that was applied before that was refused may have the
        # entity as a feature, too.
        if feature.source is None and name not in (spec.data.entity, spec.data.event_time):
            yield _column(name, feature)
    yield Column(spec.data.label, "label")


def _column(name: str, feature: Feature) -> Column:
    values = frozenset(feature.values) if feature.values is not None else None
    return Column(name, feature.type, feature.optional, feature.min, feature.max, values)


def _both(one: Column, other: Column, spec: ModelSpec) -> Column:
    if one.kind != other.kind:
        message = (
            f"the models of dataset {spec.data.dataset!r} disagree: column {one.name!r} is {other.kind} for "
            f"{spec.model!r} and {one.kind} for another; make the specs agree, or use two datasets"
        )
        raise NoContractError(message)
    lows = [bound for bound in (one.low, other.low) if bound is not None]
    highs = [bound for bound in (one.high, other.high) if bound is not None]
    values = one.values & other.values if one.values and other.values else one.values or other.values
    return Column(
        one.name, one.kind, one.optional and other.optional, max(lows, default=None), min(highs, default=None), values
    )
