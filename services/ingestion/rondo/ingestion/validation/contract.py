"""The contract of a dataset: its spec if it is declared, otherwise the combined requirements of all its models."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, Literal

from rondo.contracts.spec.feature_types import unknown_types_sentence
from rondo.contracts.tasks.binary import ZERO_ONE
from rondo.contracts.tasks.registry import TASKS, UnknownTaskError
from rondo.contracts.vocabularies import UnknownColumns
from rondo.ingestion.validation.labels import label_column
from rondo.ingestion.validation.shorten import excerpt, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rondo.contracts.spec.data import Feature, TypedColumn
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec
    from rondo.contracts.tasks.base import Labels

Kind = Literal["entity", "time", "label", "category", "float", "int", "bool"]
_KINDS: Mapping[str, Kind] = {"category": "category", "float": "float", "int": "int", "bool": "bool"}
BATCH_ID = "batch_id"  # the published table has this column in addition to the contract's
_STRICTEST_FIRST = (UnknownColumns.REJECT, UnknownColumns.REPORT, UnknownColumns.IGNORE)


@dataclass(frozen=True)
class Column:
    """One column and its allowed values. Bounds are inclusive. `models` are those that require it.

    `zone` is the time zone of times without one.
    """

    name: str
    kind: Kind
    optional: bool = False
    low: float | None = None
    high: float | None = None
    values: frozenset[str] | None = None
    labels: Labels = ZERO_ONE
    models: tuple[str, ...] = ()
    zone: str | None = None

    @property
    def expected(self) -> str:
        """The kind of values of the column, for messages."""
        if self.kind == "label":
            return self.labels.expected
        return {"entity": "text or whole numbers", "category": "text"}.get(self.kind, self.kind)


@dataclass(frozen=True)
class Contract:
    """The columns of a batch of `dataset`, its row keys, and the limits above which a whole batch is rejected.

    A row key has the column of the event time, then those of the entity. `is_declared` is True if the dataset has a
    spec.
    """

    dataset: str
    columns: tuple[Column, ...]
    row_keys: tuple[tuple[str, ...], ...]
    max_bad_share: float
    unknown_columns: str
    digest: str
    is_declared: bool = False

    def key_of_spec(self, name: str) -> str:
        """Return the full name of a key in the spec that decides. In the spec of a model it is under `data`."""
        return name if self.is_declared else f"data.{name}"

    @property
    def event_time(self) -> str:
        """The column with the event time. The times of `known_at` come behind it."""
        return next(column.name for column in self.columns if column.kind == "time")

    @property
    def text_labels(self) -> tuple[str, ...]:
        """The columns of labels whose values are compared as texts."""
        return tuple(c.name for c in self.columns if c.kind == "label" and label_column(c.labels).are_texts)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class NoContractError(ValueError):
    """A dataset has no contract: no spec names it, or the specs of its models can't be combined.

    They can't be combined if they contradict each other, or if one has a task or a type of a feature that is unknown to
    this release. A batch of the dataset is rejected, and may be sent again once there is a contract.
    """

    code: ClassVar[str] = "no_contract"


def contract_of(
    dataset: str, specs: Iterable[ModelSpec], declared: Mapping[str, DatasetSpec] | None = None
) -> Contract:
    """Return the contract of the declared spec of `dataset`, or that of the combined specs of its models.

    The combination has the strictest requirement for each column. `declared` has all dataset specs by name.

    Raises:
        NoContractError: no spec names the dataset, two models contradict each other about a column, or a spec has a
            task or a type of a column that is unknown to this release.

    """
    known = sorted(specs, key=lambda spec: spec.model)
    mine = [spec for spec in known if spec.data.dataset == dataset]
    if declared and (own := declared.get(dataset)):
        return _declared_contract(own, mine)
    if not mine:
        raise NoContractError(_no_spec(dataset, sorted({*(spec.data.dataset for spec in known), *(declared or {})})))
    columns: dict[str, Column] = {}
    named_by: dict[str, str] = {}
    for spec in mine:
        for column in _columns(spec):
            if before := columns.get(column.name):
                _check_agreement(dataset, before, named_by[column.name], column, spec.model)
                column = _strictest(before, column)  # noqa: PLW2901 - the combined column replaces both
            columns[column.name] = column
            named_by.setdefault(column.name, spec.model)
    _check_capitals(dataset, columns, named_by)
    digest = hashlib.sha256("".join(spec.digest for spec in mine).encode()).hexdigest()
    return Contract(
        dataset,
        tuple(columns.values()),
        tuple(dict.fromkeys(spec.data.row_key for spec in mine)),
        min(spec.data.max_bad_share for spec in mine),
        _unknown_columns(mine),
        f"sha256:{digest}",
    )


def _declared_contract(own: DatasetSpec, models: list[ModelSpec]) -> Contract:
    """Return the contract of a dataset spec. It lists the models that need a column. Their limits don't count."""
    _check_types(f"the dataset {own.dataset!r}", own.columns)
    columns = [_entity(name, own, models) for name in own.entity]
    columns.append(Column(own.event_time, "time", models=tuple(spec.model for spec in models), zone=own.time_zone))
    if own.known_at is not None:
        columns.append(Column(own.known_at, "time", zone=own.time_zone))
    columns += [
        Column(
            name, _KINDS[column.type], column.optional, column.min, column.max, _listed(column.values),
            models=tuple(spec.model for spec in models if _needs(spec, name)),
        )
        for name, column in own.columns.items() if name not in own.entity
    ]  # fmt: skip
    return Contract(
        own.dataset,
        tuple(columns),
        ((own.event_time, *own.entity),),
        own.max_bad_share,
        own.unknown_columns,
        own.digest,
        is_declared=True,
    )


def _entity(name: str, own: DatasetSpec, models: list[ModelSpec]) -> Column:
    values = _listed(own.columns[name].values) if name in own.columns else None
    return Column(name, "entity", values=values, models=tuple(spec.model for spec in models))


def _listed(values: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _needs(spec: ModelSpec, name: str) -> bool:
    """Return whether a model is trained only on rows that have a value in this column."""
    feature = spec.features.get(name)
    return name == spec.data.label or (feature is not None and feature.is_sent and not feature.optional)


def _no_spec(dataset: str, datasets: list[str]) -> str:
    close = get_close_matches(dataset, datasets, n=1)
    hint = f"did you mean {close[0]!r}? " if close else f"known: {names(datasets)}. " if datasets else ""
    return f"no model has the dataset {dataset!r}; {hint}Apply a spec with `data: {{dataset: {dataset}}}` first"


def _unknown_columns(specs: list[ModelSpec]) -> str:
    wanted = {spec.data.unknown_columns for spec in specs}
    return next((word for word in _STRICTEST_FIRST if word in wanted), UnknownColumns.REPORT)


def _columns(spec: ModelSpec) -> Iterable[Column]:
    models = (spec.model,)
    sent = {name: feature for name, feature in spec.features.items() if feature.is_sent}
    _check_types(f"the model {spec.model!r} of dataset {spec.data.dataset!r}", sent)
    yield Column(spec.data.entity, "entity", models=models)
    yield Column(spec.data.event_time, "time", models=models, zone=spec.data.time_zone)
    for name, feature in sent.items():
        # A feature with `from` is joined, not sent. An old spec, from before this was refused, may also have the
        # entity as a feature.
        if name not in (spec.data.entity, spec.data.event_time):
            yield _feature(name, feature, spec.model)
    yield Column(spec.data.label, "label", labels=_labels(spec), models=models)


def _labels(spec: ModelSpec) -> Labels:
    try:
        return spec.labels
    except UnknownTaskError as error:
        raise NoContractError(
            f"the model {spec.model!r} of dataset {spec.data.dataset!r} has the task {excerpt(spec.task)!r}, "
            "which this release of ingestion does not know: upgrade ingestion, or apply the spec with a task that it "
            f"knows ({', '.join(TASKS)}), then send the batch again"
        ) from error


def _check_types(owner: str, columns: Mapping[str, TypedColumn]) -> None:
    """Refuse columns of unknown types. Accepted rows would be stored unchecked, and could not be sent again."""
    if sentence := unknown_types_sentence(columns, "ingestion"):
        raise NoContractError(f"{owner}: the column {sentence}, then send the batch again")


def _feature(name: str, feature: Feature, model: str) -> Column:
    values = frozenset(feature.values) if feature.values is not None else None
    models = () if feature.optional else (model,)
    return Column(name, _KINDS[feature.type], feature.optional, feature.min, feature.max, values, models=models)


def _check_agreement(dataset: str, one: Column, model: str, other: Column, other_model: str) -> None:
    zones = {zone for zone in (one.zone, other.zone) if zone is not None}
    if (one.kind, one.labels) == (other.kind, other.labels) and len(zones) <= 1:
        return
    first, second = (one.kind, other.kind) if one.kind != other.kind else (one.expected, other.expected)
    if len(zones) > 1:
        first, second = f"in {one.zone}", f"in {other.zone}"
    raise NoContractError(
        f"the models of dataset {dataset!r} disagree: column {one.name!r} is {first} for {model!r} and {second} for "
        f"{other_model!r}; change one of the specs, or use two datasets"
    )


def _check_capitals(dataset: str, columns: Iterable[str], models: Mapping[str, str]) -> None:
    """Refuse names that differ only by capitals, because Delta tables do not distinguish them."""
    seen: dict[str, str] = {}
    for name in columns:
        other = seen.setdefault(name.lower(), name)
        if name != other:
            raise NoContractError(
                f"the models of dataset {dataset!r} disagree: column {other!r} of {models[other]!r} is {name!r} for "
                f"{models[name]!r}, and tables can't tell them apart; change one of the specs, or use two datasets"
            )


def _strictest(one: Column, other: Column) -> Column:
    lows = [bound for bound in (one.low, other.low) if bound is not None]
    highs = [bound for bound in (one.high, other.high) if bound is not None]
    values = one.values & other.values if one.values and other.values else one.values or other.values
    return replace(
        one,
        optional=one.optional and other.optional,
        low=max(lows, default=None),
        high=min(highs, default=None),
        values=values,
        models=one.models + other.models,
        zone=one.zone or other.zone,
    )
