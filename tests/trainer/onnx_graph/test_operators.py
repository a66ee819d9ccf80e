"""Operators of an older version are combined with newer ones if they have the same meaning, and refused if not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from rondo.trainer.onnx_graph.operators import OperatorVersionError, convert
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

X = np.random.default_rng(5).normal(size=(200, 3)).astype(np.float32)
WANTED = {"": 15, "ai.onnx.ml": 3}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("estimator", "labels"),
    [
        (RandomForestRegressor(5, random_state=1), X[:, 0]),
        (RandomForestClassifier(5, random_state=1), (X[:, 0] > 0).astype(int)),
    ],
)
def test_trees_as_skl2onnx_writes_them_are_read_as_those_of_version_3(estimator: Any, labels: Any) -> None:
    options = {"zipmap": False} if hasattr(estimator, "predict_proba") else None
    model = to_onnx(estimator.fit(X, labels), X[:1], target_opset=15, options=options)
    assert {entry.domain: entry.version for entry in model.opset_import}["ai.onnx.ml"] == 1
    converted = convert(model, WANTED)
    newer = onnx.ModelProto()
    newer.CopyFrom(converted)
    del newer.opset_import[:]
    newer.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in WANTED.items())
    before, after = (
        onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"X": X})[-1] for each in (model, newer)
    )
    np.testing.assert_array_equal(before, after)


def test_an_operator_that_means_something_else_is_refused_with_what_to_export() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.STRING, [None, 1])
    node = helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", classes_strings=["a", "b"])
    encoded = helper.make_tensor_value_info("y", TensorProto.INT64, [None, 1])
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(helper.make_graph([node], "old", [value], [encoded]), opset_imports=opsets)
    with pytest.raises(OperatorVersionError) as refused:
        convert(model, WANTED)
    assert refused.value.code == "operator_version"
    assert "'ai.onnx.ml': 3" in str(refused.value)
