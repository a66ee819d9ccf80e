"""Finds the classes of a graph, in the order of its probabilities, and the column of each class of the label."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from onnx import AttributeProto, helper, numpy_helper

from rondo.contracts.tasks.label_values import label_text
from rondo.trainer.external_models import document
from rondo.trainer.external_models.errors import UnmatchedClassesError, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import onnx

CLASSES = "rondo.classes"


def classes_of(model: onnx.ModelProto, count: int) -> tuple[str, ...] | None:
    """Return the classes of `count` probabilities, from the metadata or else the label output. None without both.

    Raises:
        UnmatchedClassesError: the metadata can't be read, or has another number of classes.

    """
    named = next((entry.value for entry in model.metadata_props if entry.key == CLASSES), None)
    if named is not None:
        return _of_metadata(named, count)
    looked_up, declared = set(_looked_up(model.graph)), set(_declared(model.graph))
    for candidates in (looked_up, declared):
        fitting = {each for each in candidates if len(each) == count}
        if len(fitting) == 1:
            return fitting.pop()
    return None


def columns_of(found: tuple[str, ...] | None, wanted: tuple[str, ...]) -> tuple[int, ...]:
    """Return the column of each wanted class among the probabilities of the found ones.

    Whole numbers from 0 stand for the wanted classes in their order. Without found classes the wanted order is assumed.

    Raises:
        UnmatchedClassesError: the found classes are not the wanted ones.

    """
    if found is None:
        return tuple(range(len(wanted)))
    if set(found) == set(wanted):
        return tuple(found.index(each) for each in wanted)
    indices = tuple(str(index) for index in range(len(wanted)))
    if set(found) == set(indices):
        return tuple(found.index(index) for index in indices)
    raise UnmatchedClassesError(
        found, f"the classes of the model are {listed(found)}, and those of the label {listed(wanted)}"
    )


def _of_metadata(text: str, count: int) -> tuple[str, ...]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    names = tuple(label_text(each) for each in values) if isinstance(values, list) else ()
    known = tuple(each for each in names if each)
    if not known or len(known) != len(names) or len(set(known)) != len(known):
        raise UnmatchedClassesError((), f"the metadata `{CLASSES}` is no JSON list of different texts or whole numbers")
    if len(known) != count:
        problem = f"the metadata `{CLASSES}` has {len(known)} classes, and the model {count} probabilities"
        raise UnmatchedClassesError(known, problem)
    return known


def _declared(graph: onnx.GraphProto) -> Iterator[tuple[str, ...]]:
    """Yield the classes that classifiers of `ai.onnx.ml` declare. Members of an ensemble may declare other classes."""
    for node in document.nodes(graph):
        for attribute in node.attribute:
            if attribute.name.startswith("classlabels_") and node.op_type != "ZipMap":
                yield _texts(helper.get_attribute_value(attribute))


def _looked_up(graph: onnx.GraphProto) -> Iterator[tuple[str, ...]]:
    """Yield the tables of classes from which converters take the label by the index of the highest probability."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].type == AttributeProto.TENSOR:
            constants[node.output[0]] = node.attribute[0].t
    for node in graph.node:
        if node.op_type == "ArrayFeatureExtractor" and node.input[0] in constants:
            values = numpy_helper.to_array(constants[node.input[0]])
            if values.dtype.kind in "iOSU":
                yield _texts(values.reshape(-1).tolist())


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in values)
