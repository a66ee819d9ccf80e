"""Decides whether a dataset spec may be applied, and whether a model spec fits its declared dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec.dataset.evolution import changes
from rondo.contracts.spec.dataset.source import source_problems
from rondo.contracts.spec.dataset.use import (
    ignored_keys,
    known_at_contradictions,
    label_contradictions,
    misfits,
    name_contradictions,
)
from rondo.registry.registration.spec_review import Review

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.dataset import Dataset


def review_dataset(
    spec: DatasetSpec, before: Dataset, users: Sequence[ModelSpec], undeclared: Sequence[ModelSpec]
) -> Review:
    """Review a dataset spec against its earlier specs, and against the specs of the models that use the dataset.

    `undeclared` are the model specs that named the dataset while it was not declared.
    """
    found = changes(before.history, spec)
    refusals = [change.sentence for change in found if change.is_refused]
    refusals += (*name_contradictions(spec, undeclared), *known_at_contradictions(spec, undeclared))
    named = [model for model in users if model.data.dataset == spec.dataset]
    refusals += [
        f"the model {model.model}: {problem}" for model in named for problem in _problems(model, spec, undeclared)
    ]
    refusals += [f"the model {model.model}: {problem}" for model in users for problem in _as_source(model, spec)]
    warnings = [change.sentence for change in found if change.is_stricter]
    warnings += [_ignored(model.model, key, spec.dataset) for model in named for key in ignored_keys(model)]
    return Review(tuple(dict.fromkeys(refusals)), tuple(warnings))


def review_use(model: ModelSpec, dataset: DatasetSpec | None, undeclared: Sequence[ModelSpec]) -> Review:
    """Review a model spec against the spec of its dataset. A dataset without a declaration accepts every model spec.

    `undeclared` are the model specs that named the dataset while it was not declared.
    """
    if dataset is None:
        return Review()
    warnings = tuple(_ignored(model.model, key, dataset.dataset) for key in ignored_keys(model))
    return Review(_problems(model, dataset, undeclared), warnings)


def review_sources(model: ModelSpec, sources: Mapping[str, DatasetSpec]) -> Review:
    """Review the features that a model takes `from` other datasets. `sources` has the specs of those declared."""
    return Review(tuple(source_problems(model, sources)))


def _as_source(model: ModelSpec, spec: DatasetSpec) -> Iterator[str]:
    """Yield why a model can't go on taking features from the dataset. Its other sources are not reviewed."""
    features = {name: each for name, each in model.features.items() if each.source in (None, spec.dataset)}
    if any(not feature.is_sent for feature in features.values()):
        yield from source_problems(model.model_copy(update={"features": features}), {spec.dataset: spec})


def _problems(model: ModelSpec, dataset: DatasetSpec, undeclared: Sequence[ModelSpec]) -> tuple[str, ...]:
    return (*misfits(model, dataset), *label_contradictions(model, undeclared))


def _ignored(model: str, key: str, dataset: str) -> str:
    return f"`{key}` of {model} does nothing: {dataset} is declared, and its own spec says it"
