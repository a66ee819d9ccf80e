"""Decides whether a dataset spec may be applied, and whether a model spec fits its declared dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec.dataset.evolution import changes
from rondo.contracts.spec.dataset.use import ignored_keys, label_contradictions, misfits, name_contradictions
from rondo.registry.registration.spec_review import Review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec
    from rondo.registry.model.dataset import Dataset


def review_dataset(
    spec: DatasetSpec, before: Dataset, users: Sequence[ModelSpec], undeclared: Sequence[ModelSpec]
) -> Review:
    """Review a dataset spec against its earlier specs, and against the specs of the models that name the dataset.

    `undeclared` are the model specs that named the dataset while it was not declared.
    """
    found = changes(before.history, spec)
    refusals = [change.sentence for change in found if change.is_refused]
    refusals += name_contradictions(spec, undeclared)
    refusals += [
        f"the model {model.model}: {problem}" for model in users for problem in _problems(model, spec, undeclared)
    ]
    warnings = [change.sentence for change in found if change.is_stricter]
    warnings += [_ignored(model.model, key, spec.dataset) for model in users for key in ignored_keys(model)]
    return Review(tuple(refusals), tuple(warnings))


def review_use(model: ModelSpec, dataset: DatasetSpec | None, undeclared: Sequence[ModelSpec]) -> Review:
    """Review a model spec against the spec of its dataset. A dataset without a declaration accepts every model spec.

    `undeclared` are the model specs that named the dataset while it was not declared.
    """
    if dataset is None:
        return Review()
    warnings = tuple(_ignored(model.model, key, dataset.dataset) for key in ignored_keys(model))
    return Review(_problems(model, dataset, undeclared), warnings)


def _problems(model: ModelSpec, dataset: DatasetSpec, undeclared: Sequence[ModelSpec]) -> tuple[str, ...]:
    return (*misfits(model, dataset), *label_contradictions(model, undeclared))


def _ignored(model: str, key: str, dataset: str) -> str:
    return f"`{key}` of {model} does nothing: {dataset} is declared, and its own spec says it"
