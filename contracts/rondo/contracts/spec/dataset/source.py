"""Features that a model takes `from` another dataset: the checks, and what a join needs to know of that dataset."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rondo.contracts.spec.data import SpecSection
from rondo.contracts.spec.duration import Duration
from rondo.contracts.spec.feature_types import reads
from rondo.contracts.text import Column, Digest, Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rondo.contracts.spec.data import Feature
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec

_OF_DATASET = ("min", "max", "values")


class SourceDataset(SpecSection):
    """A dataset from which features are joined, as the spec with that `digest` declares it.

    A row is known at the time in its column `known_at`. Without that column it is known `known_after` its event time.
    Keys and both settings are the same in all later specs of the dataset, so a join may use rows of each of them.
    """

    dataset: Name
    digest: Digest
    entity: tuple[Column, ...]
    event_time: Column
    known_at: Column | None = None
    known_after: Duration = timedelta(0)


def source_names(model: ModelSpec) -> tuple[str, ...]:
    """Return the datasets from which a model takes features, sorted."""
    return tuple(sorted({feature.source for feature in model.features.values() if feature.source is not None}))


def source_of(spec: DatasetSpec) -> SourceDataset:
    """Return what a join needs to know of a dataset. Its spec has passed `source_problems`."""
    return SourceDataset(
        dataset=spec.dataset,
        digest=spec.digest,
        entity=spec.entity,
        event_time=spec.event_time,
        known_at=spec.known_at,
        known_after=spec.known_after or timedelta(0),
    )


def source_problems(model: ModelSpec, declared: Mapping[str, DatasetSpec]) -> Iterator[str]:
    """Yield a sentence for each reason why features can't be joined. `declared` has the specs of the sources by name.

    A source that is absent from `declared` is not declared.
    """
    for name, feature in model.features.items():
        if feature.source is None:
            if keys := [key for key in ("on", "column", "max_age") if getattr(feature, key)]:
                yield f"the feature {name} has `{keys[0]}` without `from`: name the dataset, or leave `{keys[0]}` out"
            continue
        yield from _of_model(name, feature, model)
        if feature.source in declared:
            yield from _of_source(name, feature, model, declared[feature.source])
    for source in source_names(model):
        if source not in declared:
            yield f"features are taken from {source}, which is not declared: apply a spec of it (kind: dataset) first"
        elif (spec := declared[source]).known_at is None and spec.known_after is None:
            yield (
                f"features are taken from {source}, whose spec does not say when a row is known: add `known_after`, "
                "such as 1h, or `known_at` with the column that has the time"
            )


def _of_model(name: str, feature: Feature, model: ModelSpec) -> Iterator[str]:
    if feature.source == model.data.dataset:
        yield f"the feature {name} is taken from {feature.source}, which has the rows themselves: leave `from` out"
    for key in _OF_DATASET:
        if getattr(feature, key) is not None:
            yield f"the feature {name} has `{key}`, and its values are those of {feature.source}: limit them there"


def _of_source(name: str, feature: Feature, model: ModelSpec, source: DatasetSpec) -> Iterator[str]:
    column = feature.column or name
    if column not in source.columns:
        yield f"{source.dataset} has no column {column} for the feature {name}: add it to `columns`, or write `column`"
    else:
        found = source.columns[column].type
        if not reads(found, feature.type):
            yield f"the feature {name} is {feature.type}, and {source.dataset} has {column} as {found}: write that"
    keys = feature.on or source.entity
    if len(keys) != len(source.entity):
        columns = ", ".join(source.entity)
        yield f"`on` of the feature {name} needs a column for each of the entity of {source.dataset}: {columns}"
    for key in keys:
        if key != model.data.entity and not _is_key(model.features.get(key)):
            yield (
                f"the feature {name} is joined on {key}, which is neither `data.entity` nor a category that rows have: "
                "name such a column in `on`"
            )


def _is_key(feature: Feature | None) -> bool:
    return feature is not None and feature.is_sent and feature.type == "category"
