"""Models are loaded from bytes and checked against the signature of their route and the task in their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.spec.model import Feature
from rondo.serving.models.onnx_runtime import OnnxModel, UnfitModelError

from tests.serving.builders import BINARY, INTERVAL, NUMBERED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.contracts.tasks.base import FittedTask

TWO = {"a": Feature(type="float"), "b": Feature(type="category")}


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [
        (BINARY, {"score": [2, 4, 6], "label": [0, 0, 1]}),
        (
            NUMBERED,
            {"label": [1, 1, 1], "score": [2, 4, 6], "probabilities": [[1, 2], [2, 4], [3, 6]]},
        ),
        (INTERVAL, {"value": [2, 4, 6], "low": [-0.5, 1.5, 3.5], "high": [4.5, 6.5, 8.5]}),
    ],
    ids=lambda each: getattr(each, "task", ""),
)
def test_a_model_returns_the_outputs_of_its_task_by_name(
    model: Callable[..., bytes], fitted: FittedTask, expected: Any
) -> None:
    loaded = OnnxModel(model(2.0, TWO, fitted), TWO)
    outputs = loaded.score({"a": np.array([1, 2, 3], "f4"), "b": np.array(["x", "", "y"], object)})
    assert {name: values.tolist() for name, values in outputs.items()} == expected
    assert tuple(outputs) == loaded.outputs.names
    assert loaded.outputs.fits(outputs, 3)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "rondo.task"),
        ({"rondo.task": "{"}, "rondo.task"),
        ({"rondo.task": '{"task": "ranking"}'}, "'ranking': .*binary"),
        ({"rondo.task": '{"task": "multiclass"}'}, r"multiclass .*\[\]"),
        ({"rondo.task": '{"task": "binary", "labels": ["a", "a"]}'}, r"binary .*\['a', 'a'\]"),
        ({"rondo.task": '{"task": "binary", "labels": ["a", "b"], "numbers": true}'}, "rondo.task"),
        ({"rondo.task": '{"task": "regression"}'}, r"output.score tensor\(float\), output.label .*output.value"),
        ({"rondo.task": '{"task": "multiclass", "labels": ["a", "b"]}'}, "output.probabilities"),
    ],
)
def test_a_model_without_the_outputs_of_its_task_is_refused(
    model: Callable[..., bytes], metadata: dict[str, str], expected: str
) -> None:
    with pytest.raises(UnfitModelError, match=expected) as caught:
        OnnxModel(model(1.0, TWO, BINARY, metadata), TWO)
    assert caught.value.code == "unfit_model"


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"a": Feature(type="float")}, ("input b",)),
        (TWO | {"c": Feature(type="bool")}, ("input c",)),
        ({"a": Feature(type="category"), "b": Feature(type="category")}, ("tensor(float)", "tensor(string)")),
    ],
)
def test_another_signature_is_refused(
    model: Callable[..., bytes], features: dict[str, Feature], expected: tuple[str, ...]
) -> None:
    with pytest.raises(UnfitModelError) as caught:
        OnnxModel(model(1.0, TWO), features)
    assert caught.value.code == "unfit_model"
    assert [each for each in expected if each not in str(caught.value)] == []


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" + b"\xff" * 40])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(UnfitModelError) as caught:
        OnnxModel(content, {})
    assert caught.value.code == "unfit_model"


def test_a_truncated_model_is_refused(model: Callable[..., bytes]) -> None:
    with pytest.raises(UnfitModelError) as caught:
        OnnxModel(model(1.0, TWO)[:-20], TWO)
    assert caught.value.code == "unfit_model"
