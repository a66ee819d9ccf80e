"""Checks whether a model can use a declared dataset: the dataset must have its columns with types that it can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.spec.dataset.evolution import other_capitals
from rondo.contracts.spec.feature_types import reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.contracts.spec.data import Feature
    from rondo.contracts.spec.dataset.section import DatasetSpec
    from rondo.contracts.spec.model import ModelSpec

# A table that was started without a dataset spec may hold labels as these numbers or as the texts of their digits.
_STORED_DIGITS = {"positive": "0", "negative": "1"}
# Keys of a model spec that the dataset spec of a declared dataset replaces.
_OF_DATASET = ("max_bad_share", "unknown_columns")


def misfits(model: ModelSpec, dataset: DatasetSpec) -> Iterator[str]:
    """Yield a sentence for each reason why a model can't be trained on the rows of its declared dataset."""
    yield from _keys(model, dataset)
    for name, feature in model.features.items():
        if feature.is_sent:
            yield from _feature(name, feature, dataset)
    yield from _label(model, dataset)


def name_contradictions(dataset: DatasetSpec, undeclared: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield each column that differs by capitals alone from a column of older rows, by the specs of `undeclared`."""
    times = (dataset.event_time, dataset.known_at)
    columns = (*dataset.entity, *(name for name in times if name is not None), *dataset.columns)
    names = {name.lower(): name for name in columns}
    for stored in dict.fromkeys(name for model in undeclared for name in _sent(model)):
        name = names.get(stored.lower(), stored)
        if name != stored:
            yield other_capitals(name, stored)


def known_at_contradictions(dataset: DatasetSpec, undeclared: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield why the column of `known_at` can't be a time: older rows have it as something else, by `undeclared`."""
    for model in undeclared:
        if dataset.known_at is not None and dataset.known_at in {*_sent(model)} - {model.data.event_time}:
            yield (
                f"`known_at` is {dataset.known_at}, which rows from before the declaration have as a column of the "
                f"model {model.model} that is no time: use another name"
            )


def _sent(model: ModelSpec) -> Iterator[str]:
    yield from (model.data.entity, model.data.event_time, model.data.label)
    yield from (name for name, feature in model.features.items() if feature.is_sent)


def label_contradictions(model: ModelSpec, undeclared: Iterable[ModelSpec]) -> Iterator[str]:
    """Yield each reason why a model would read the labels of older rows with another meaning than they were published.

    Rows from before the declaration have 1 for `data.positive` and 0 for `data.negative` of the models of that time,
    which are `undeclared`.
    """
    data = model.data
    for other in undeclared:
        same = (other.task, other.data.label) == (model.task, data.label)
        if same and _texts(other) != _texts(model):
            yield (
                f"`data.positive` and `data.negative` are {_shown(model)}, and rows of {data.dataset} from before it "
                f"was declared have the labels of {other.model}, where they are {_shown(other)}: write those, or give "
                "the label another column"
            )


def _texts(model: ModelSpec) -> tuple[str | None, str | None]:
    return (model.data.positive, model.data.negative)


def _shown(model: ModelSpec) -> str:
    return "absent" if model.data.positive is None else f"{model.data.positive!r} and {model.data.negative!r}"


def ignored_keys(model: ModelSpec) -> Iterator[str]:
    """Yield the keys in a model's `data` that have no effect because its dataset is declared, as in the file."""
    for key in _OF_DATASET:
        if key in model.data.model_fields_set:
            yield f"data.{key}"


def _keys(model: ModelSpec, dataset: DatasetSpec) -> Iterator[str]:
    data, name = model.data, dataset.dataset
    if len(dataset.entity) > 1:
        columns = ", ".join(dataset.entity)
        yield f"rows of {name} are identified by {columns}, and a model is trained on a dataset with one entity column"
    elif data.entity != dataset.entity[0]:
        yield f"`data.entity` is {data.entity}, and that of {name} is {dataset.entity[0]}: write that"
    if data.event_time != dataset.event_time:
        yield f"`data.event_time` is {data.event_time}, and that of {name} is {dataset.event_time}: write that"
    if data.time_zone is not None and data.time_zone != dataset.time_zone:
        of = dataset.time_zone or "absent"
        yield f"`data.time_zone` is {data.time_zone}, and `time_zone` of {name} is {of}: leave it out of the model spec"


def _feature(name: str, feature: Feature, dataset: DatasetSpec) -> Iterator[str]:
    if name not in dataset.columns:
        yield f"{dataset.dataset} has no column {name}: take it out of `features`, or add it to `columns`"
        return
    column = dataset.columns[name]
    if not reads(column.type, feature.type):
        yield f"the feature {name} is {feature.type}, and {dataset.dataset} has it as {column.type}: write that"


def _label(model: ModelSpec, dataset: DatasetSpec) -> Iterator[str]:
    data, name = model.data, dataset.dataset
    if data.label not in dataset.columns:
        yield f"{name} has no column {data.label}, which is the label: add it to `columns`"
        return
    found, allowed = dataset.columns[data.label].type, _label_types(model)
    if found not in allowed:
        yield f"the label {data.label} is {found} in {name}, and the task needs {' or '.join(allowed)}: declare it so"
    for key, digit in _STORED_DIGITS.items():
        if getattr(data, key) == digit:
            yield (
                f"`data.{key}` is {digit!r}, which rows published before {name} was declared may have for the other "
                "label: use another text in the column"
            )


def _label_types(model: ModelSpec) -> tuple[str, ...]:
    """Return the types that a column with the labels of a model may have."""
    if model.data.positive is not None:
        return ("category",)
    return ("category", "int", "bool") if model.labels.storage == "text" else ("bool", "int", "float")
