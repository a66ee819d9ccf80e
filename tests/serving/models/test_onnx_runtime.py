"""Models are loaded from bytes and checked against the signature of their route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from rondo.contracts.spec.model import Feature
from rondo.serving.models.onnx_runtime import OnnxModel, UnfitModelError

if TYPE_CHECKING:
    from collections.abc import Callable

TWO = {"a": Feature(type="float"), "b": Feature(type="category")}


def test_a_model_scores_columns(model: Callable[..., bytes]) -> None:
    loaded = OnnxModel(model(2.0, TWO), TWO)
    scores = loaded.score({"a": np.array([1, 2, 3], "f4"), "b": np.array(["x", "", "y"], object)})
    assert scores.tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"a": Feature(type="float")}, "its input b is not a feature; train again"),
        (TWO | {"c": Feature(type="bool")}, "it lacks the input c; train again with the spec in force"),
        (
            {"a": Feature(type="category"), "b": Feature(type="category")},
            r"a is tensor\(float\) and should be tensor\(string\)",
        ),
    ],
)
def test_another_signature_is_refused(model: Callable[..., bytes], features: dict[str, Feature], expected: str) -> None:
    with pytest.raises(UnfitModelError, match=expected):
        OnnxModel(model(1.0, TWO), features)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08" + b"\xff" * 40])
def test_bytes_that_are_no_model_are_refused(content: bytes) -> None:
    with pytest.raises(UnfitModelError, match=r"train again|no output `score`"):
        OnnxModel(content, {})


def test_a_truncated_model_is_refused(model: Callable[..., bytes]) -> None:
    with pytest.raises(UnfitModelError, match="can't be loaded as an ONNX model"):
        OnnxModel(model(1.0, TWO)[:-20], TWO)
