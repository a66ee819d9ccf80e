"""Graphs that are valid, and made to take all memory or all time."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from onnx import TensorProto, helper
from rondo.serving.explanations.trees import graph_walk, matrix_columns, tree_graph, tree_nodes
from rondo.serving.explanations.trees.errors import NotTreesError
from rondo.serving.explanations.trees.onnx_graph import OnnxGraph

from tests.serving.explanations.trees.handmade import Split, attributes, built

CHAIN = 60
STUMP = Split(0, 0.0, "BRANCH_LEQ", missing=False, true=0.0, false=0.5)
CHOSEN = helper.make_node("Cast", ["sum"], ["chosen"], to=TensorProto.BOOL)


def chained(operator: str, first: str, last: str, length: int = CHAIN, before: tuple[str, ...] = ()) -> list[Any]:
    """Return nodes in a row, each of which takes the result of the node before it twice."""
    names = [first, *(f"{last}.{number}" for number in range(length - 1)), last]
    return [
        helper.make_node(operator, [*before, name, name], [after], **({"axis": 1} if operator == "Concat" else {}))
        for name, after in pairwise(names)
    ]


def graph_of(nodes: list[Any], inputs: tuple[str, ...] = ("a", "b")) -> OnnxGraph:
    given = [helper.make_tensor_value_info(name, 1, ["N", 1]) for name in inputs]
    return OnnxGraph(helper.make_model(helper.make_graph(nodes, "g", given, [])).SerializeToString())


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(NotTreesError) as caught:
        call(*arguments)
    return caught.value.code


def ensemble(trees: list[Split | float], targets: int = 1, **more: Any) -> Any:
    types = {"nodes_values": 6, "target_weights": 6, "nodes_modes": 8}
    node = helper.make_node("TreeEnsembleRegressor", ["matrix"], ["sum"], domain="ai.onnx.ml", n_targets=targets)
    node.attribute.extend(
        helper.make_attribute(name, values, attr_type=types.get(name, 7))
        for name, values in (attributes(trees) | more).items()
    )
    return OnnxGraph(helper.make_model(helper.make_graph([node], "g", [], [])).SerializeToString()).maker("sum")


@pytest.mark.timeout(20)
def test_a_chain_of_choices_after_the_trees_is_evaluated_once_for_each_node() -> None:
    content = built([STUMP], [CHOSEN, *chained("Where", "sum", "raw", before=("chosen",))])
    assert tree_graph.read(content, "raw").ensemble.size == 1.0


@pytest.mark.timeout(20)
def test_a_chain_of_nodes_before_the_trees_is_evaluated_once_for_each_node() -> None:
    joined = helper.make_node("Concat", ["a", "b"], ["both"], axis=1)
    found = matrix_columns.find(graph_of([joined, *chained("Max", "both", "matrix")]), "matrix")
    assert [feature for _, feature in found.parts] == ["a", "b"]


@pytest.mark.timeout(20)
def test_a_matrix_that_is_joined_with_itself_again_and_again_is_too_large() -> None:
    graph = graph_of([helper.make_node("Concat", ["a", "b"], ["both"], axis=1), *chained("Concat", "both", "matrix")])
    assert code_of(matrix_columns.find, graph, "matrix") == "too_large"


def test_a_long_chain_of_nodes_is_too_large() -> None:
    nodes = [CHOSEN, *chained("Where", "sum", "raw", 1_200, before=("chosen",))]
    with pytest.raises(NotTreesError) as caught:
        tree_graph.read(built([STUMP], nodes), "raw")
    assert caught.value.code == "too_large"
    assert str(graph_walk.MOST_DEPTH) in caught.value.reason


def test_features_of_many_tensors_take_little_memory() -> None:
    inputs = tuple(f"f{number}" for number in range(500))
    nodes = [helper.make_node("Concat", list(inputs), ["all.0"], axis=1)]
    nodes += [helper.make_node("Add", [f"all.{n}", inputs[n % 500]], [f"all.{n + 1}"]) for n in range(3_000)]
    graph = graph_of(nodes, inputs)
    tracemalloc.start()
    try:
        assert graph.features_of("all.3000") == list(inputs)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def deep(levels: int) -> Split:
    found: Split | float = 1.0
    for _ in range(levels):
        found = Split(0, 0.0, "BRANCH_LEQ", missing=False, true=found, false=0.5)
    assert isinstance(found, Split)
    return found


def test_paths_with_too_many_conditions_are_refused_before_all_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_nodes, "MOST_CONDITIONS", 1_000)
    assert len(tree_nodes.read(ensemble([deep(40)])).paths.nodes) == 40 * 41 // 2 + 40
    with pytest.raises(NotTreesError) as caught:
        tree_nodes.read(ensemble([deep(50)]))
    assert caught.value.code == "too_large"
    assert "1,000" in caught.value.reason


def test_nodes_in_a_cycle_are_no_trees() -> None:
    node = ensemble([deep(3)], nodes_truenodeids=[1, 2, 1, 0, 0, 0, 0])
    assert code_of(tree_nodes.read, node) == "not_a_tree"


@pytest.mark.parametrize("targets", [2**40, 3_000_000])
def test_leaves_with_too_many_values_are_refused_before_they_are_allocated(targets: int) -> None:
    with pytest.raises(NotTreesError) as caught:
        tree_nodes.read(ensemble([STUMP], targets))
    assert caught.value.code == "too_large"
    assert all(number in caught.value.reason for number in (f"{2 * targets:,}", "5,000,000"))


def test_an_output_that_is_taken_too_often_is_too_large() -> None:
    found = tree_nodes.read(ensemble([STUMP]))
    assert code_of(tree_nodes.take, found, [0] * 2_500_001) == "too_large"
