"""The graphs whose output is a sum of trees or a link of it, and the reasons why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rondo.serving.explanations.trees import closed_form, onnx_graph, tree_graph, tree_model_onnx, tree_nodes
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.tree_model_onnx import TreeModel

from tests.serving.builders import version_of
from tests.serving.explanations.trees.handmade import FEATURES, Split, built, columns_of

NAN = float("nan")
if TYPE_CHECKING:
    from collections.abc import Sequence

# The sums are 0.5 and up to 1 more. The second tree has conditions on two features.
TREES = [
    Split(0, 0.0, "BRANCH_LEQ", missing=False, true=0.0, false=0.5),
    Split(
        1,
        0.5,
        "BRANCH_LT",
        missing=True,
        true=Split(2, 0.5, "BRANCH_GT", missing=False, true=0.25, false=0.0),
        false=0.5,
    ),
]
BACKGROUND = columns_of([(0.1, 1.0, "red", 1.0), (-1.0, NAN, "blue", NAN)])


def made(after: list[Any], trees: Sequence[Split | float] = TREES, **more: Any) -> TreeModel:
    content = built(trees, after, **more)
    return TreeModel(content, version_of("m", 1, content, FEATURES), BACKGROUND)


def node(operator: str, *constants: float, source: str = "sum", output: str = "raw", **more: Any) -> list[Any]:
    """Return a node from a tensor to another, with the constants as its other inputs."""
    names = [f"{output}.{number}" for number in range(len(constants))]
    return [
        *(
            helper.make_node("Constant", [], [name], value_float=value)
            for name, value in zip(names, constants, strict=True)
        ),
        helper.make_node(operator, [source, *names], [output], **more),
    ]


def gathered(position: int) -> list[Any]:
    at = helper.make_node("Constant", [], ["at"], value_ints=[position])
    return [at, helper.make_node("Gather", ["sum", "at"], ["raw"], axis=1)]


@pytest.mark.parametrize(
    ("after", "more", "is_sum"),
    [
        (node("Identity"), {}, True),
        (node("Clip", 0.0, 2.0), {}, True),
        (node("Mul", 1.0), {}, True),
        (node("Cast", to=TensorProto.FLOAT), {}, True),
        (gathered(0), {}, True),
        (node("Identity"), {"aggregate_function": "AVERAGE"}, True),
        (node("Sigmoid"), {}, False),
        ([*node("Sigmoid", output="inner"), *node("Clip", 0.0, 1.0, source="inner")], {}, False),
    ],
)  # fmt: skip
def test_a_sum_and_its_links_are_found(after: list[Any], more: dict[str, Any], is_sum: bool) -> None:  # noqa: FBT001
    assert made(after, **more).is_sum == is_sum


@pytest.mark.parametrize(
    ("after", "more", "code"),
    [
        (node("Clip", 0.0, 0.75), {}, "limited"),
        (node("Add", 1.0), {}, "not_a_sum"),
        (node("Mul", 2.0), {}, "not_a_sum"),
        ([helper.make_node("Mul", ["sum", "sum"], ["raw"])], {}, "not_a_sum"),
        (node("Relu"), {}, "no_trees"),
        ([*node("Sigmoid", output="inner"), *node("Sigmoid", source="inner")], {}, "link"),
        (node("Identity"), {"aggregate_function": "MAX"}, "combined"),
        (node("Identity"), {"post_transform": "LOGISTIC"}, "link"),
        ([*node("Cast", output="whole", to=TensorProto.INT64),
          *node("Cast", source="whole", to=TensorProto.FLOAT)], {}, "not_a_sum"),
    ],
)  # fmt: skip
def test_other_outputs_have_a_reason(after: list[Any], more: dict[str, Any], code: str) -> None:
    with pytest.raises(NotTreesError) as caught:
        made(after, **more)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("module", "limit"),
    [
        (tree_nodes, "MOST_LEAVES"), (tree_graph, "MOST_BYTES"), (closed_form, "MOST_ON_A_PATH"),
        (onnx_graph, "MOST_NODES"), (tree_model_onnx, "MOST_LEAF_ROWS"), (tree_model_onnx, "MOST_CONDITION_ROWS"),
    ],
)  # fmt: skip
def test_too_large_trees_have_a_reason(monkeypatch: pytest.MonkeyPatch, module: Any, limit: str) -> None:
    monkeypatch.setattr(module, limit, 1 if module is closed_form else 2)
    with pytest.raises(NotTreesError) as caught:
        made(node("Identity"))
    assert caught.value.code == "too_large"


def test_leaves_that_are_much_larger_than_their_sum_may_be_rounded() -> None:
    # As float32, 10,000,000.3 is 10,000,000.
    assert made(node("Identity"), [1e7, Split(0, 0.0, "BRANCH_LEQ", missing=False, true=0.3, false=0.4), -1e7]).is_sum


def test_trees_may_take_a_feature_without_any_node_before_them() -> None:
    document = onnx.ModelProto.FromString(built(TREES[:1]))
    next(each for each in document.graph.node if each.op_type == "TreeEnsembleRegressor").input[0] = "a"
    content = document.SerializeToString()
    model = TreeModel(content, version_of("m", 1, content, FEATURES), BACKGROUND)
    (found,) = model.explain(columns_of([(1.0, 0.0, "", 0.0)]), np.array([[1.0]], np.float32))
    # The background has one row of each leaf.
    assert found.values[:, 0] == pytest.approx([0.25, 0, 0, 0])


SMALL = [Split(0, 0.0, "BRANCH_LEQ", missing=False, true=0.0, false=1e-5)]


def test_a_limit_of_a_small_sum_is_noticed() -> None:
    assert made(node("Clip", 0.0, 1e-5), SMALL, base_values=[0.0]).is_sum
    with pytest.raises(NotTreesError) as caught:
        made(node("Clip", 0.0, 0.9e-5), SMALL, base_values=[0.0])
    assert caught.value.code == "limited"


def test_small_answers_that_are_not_those_of_the_trees_are_noticed() -> None:
    model, rows = made(node("Identity"), SMALL, base_values=[0.0]), columns_of([(1.0, 0.0, "", 0.0)])
    assert len(model.explain(rows, np.array([[1e-5]], np.float32))) == 1
    with pytest.raises(NotTreesError) as caught:
        model.explain(rows, np.array([[0.99e-5]], np.float32))
    assert caught.value.code == "mismatch"


def test_answers_that_are_not_those_of_the_trees_are_noticed() -> None:
    model, rows = made(node("Identity")), columns_of([(1.0, 0.0, "", 0.0)])
    assert len(model.explain(rows, np.array([[1.0]], np.float32))) == 1
    with pytest.raises(NotTreesError) as caught:
        model.explain(rows, np.array([[1.01]], np.float32))
    assert caught.value.code == "mismatch"
