"""The lists of a tree ensemble as attributes of its ONNX node."""

from __future__ import annotations

from onnx import AttributeProto
from rondo.trainer.estimators.tree_ensemble import TreeEnsemble

FLOATS = {"nodes_values", "target_weights", "base_values"}


def test_whole_numbers_are_floats_where_the_operator_takes_floats() -> None:
    """A library may write the weight of a leaf as 0, from which onnx would infer integers, which no runtime loads."""
    names = ("nodes_values", "target_weights", "base_values", "nodes_treeids", "target_ids")
    ensemble = TreeEnsemble(1, **{name: [0] for name in names})
    trees, _ = ensemble.onnx_nodes("matrix", "raw", "Identity")
    types = {attribute.name: attribute.type for attribute in trees.attribute}
    assert {types[name] for name in FLOATS} == {AttributeProto.FLOATS}
    assert {types[name] for name in ("nodes_treeids", "target_ids", "n_targets")} == {
        AttributeProto.INTS, AttributeProto.INT,
    }  # fmt: skip
