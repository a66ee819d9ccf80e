"""Reads the trees of a `TreeEnsembleRegressor` or `TreeEnsembleClassifier` of ONNX."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.serving.explanations.trees.closed_form import MODES, Paths, Splits
from rondo.serving.explanations.trees.errors import NotTreesError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

OPERATORS = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")
# The limit of leaves. The pairs of leaves and masks of 50 rows of the background then have at most 100 MB.
MOST_LEAVES = 100_000
# The limits of conditions on the paths to all leaves, and of values of leaves. 100,000 leaves at a depth of 50 have as
# many conditions. Each takes about 60 bytes.
MOST_CONDITIONS = MOST_VALUES = 5_000_000
_LINKS = {"NONE": None, "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
_UNREAD = ("nodes_values_as_tensor", "base_values_as_tensor", "target_weights_as_tensor", "class_weights_as_tensor")
_BINARY = 2


@dataclass(frozen=True)
class Ensemble:
    """Trees, and the operator from their sums to the output of the node. It is None if the sums are the output.

    No sum is below `least` or above `most`. `size` is the largest sum of the absolute values of leaves.
    """

    splits: Splits
    paths: Paths
    link: str | None
    least: float
    most: float
    size: float


def read(node: Any) -> Ensemble:
    """Return the trees of a node.

    Raises:
        NotTreesError: the node has a part that is unknown here, or its trees are too large.

    """
    found = {each.name: each for each in node.attribute}
    if unread := [name for name in _UNREAD if name in found]:
        raise NotTreesError("attribute", f"its trees have the attribute {unread[0]}")
    link = _text(found, "post_transform", "NONE")
    # onnxruntime has no logistic link for a regressor of one target.
    if link not in _LINKS or (node.op_type == OPERATORS[0] and link != "NONE"):
        raise NotTreesError("link", f"its trees have the link {link}")
    prefix, kind = ("target", "n_targets") if node.op_type == OPERATORS[0] else ("class", "")
    classes = len(_ints(found, "classlabels_int64s")) or len(_strings(found, "classlabels_strings"))
    width = int(found[kind].i) if kind in found else max(classes, 1)
    splits, leaves, paths = _paths(found)
    _check_values(len(leaves), width)
    values = np.zeros((len(leaves), width))
    at = _positions(leaves, _keys(found, f"{prefix}_treeids", f"{prefix}_nodeids"))
    np.add.at(values, (at, _ints(found, f"{prefix}_ids")), _floats(found, f"{prefix}_weights"))
    base = _floats(found, "base_values")
    match _text(found, "aggregate_function", "SUM"):
        case "SUM":
            pass
        case "AVERAGE":
            values /= len(np.unique(_ints(found, "nodes_treeids")))
        case other:
            raise NotTreesError("combined", f"its trees are combined by {other}")
    if prefix == "class" and width == _BINARY and len(np.unique(_ints(found, "class_ids"))) == 1:
        values, constant = _second_class(values.sum(axis=1), base, _LINKS[link])
    else:
        constant = base if len(base) == width else np.zeros(width)
    tree = np.unique(leaves // _ids(found), return_index=True)[1]
    least, most = (constant + each.reduceat(values, tree).sum(axis=0) for each in (np.minimum, np.maximum))
    size = np.abs(constant) + np.maximum.reduceat(np.abs(values), tree).sum(axis=0)
    paths = _with_leaves(paths, values, constant)
    return Ensemble(splits, paths, _LINKS[link], least.min(), most.max(), size.max())


def take(ensemble: Ensemble, outputs: Sequence[int] | None) -> Ensemble:
    """Return the trees with only these columns of their sums. None is all of them."""
    if outputs is None:
        return ensemble
    paths, chosen = ensemble.paths, list(outputs)
    _check_values(len(paths.values), len(chosen))
    return replace(ensemble, paths=replace(paths, values=paths.values[:, chosen], constant=paths.constant[chosen]))


def _check_values(leaves: int, outputs: int) -> None:
    if (count := max(leaves, 1) * outputs) > MOST_VALUES:
        raise NotTreesError("too_large", f"its leaves have {count:,} values, and at most {MOST_VALUES:,} are read")


def _second_class(
    sums: NDArray[np.float64], base: NDArray[np.float64], link: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the values of both classes from those of one, as onnxruntime adds the other one: 1 - p, or -margin."""
    constant = np.array([-1.0, 1.0]) * base.sum()
    if link is None and (sums >= 0).all():
        constant[0] += 1
    return np.stack([-sums, sums], axis=1), constant


def _with_leaves(paths: Paths, values: NDArray[np.float64], constant: NDArray[np.float64]) -> Paths:
    """Return the paths of the leaves that have a condition. The other leaves are constants."""
    conditional = np.zeros(len(values), np.bool_)
    conditional[paths.leaves] = True
    numbers = np.cumsum(conditional) - 1
    constant = constant + values[~conditional].sum(axis=0)
    return replace(paths, leaves=numbers[paths.leaves], values=values[conditional], constant=constant)


def _paths(found: Mapping[str, Any]) -> tuple[Splits, NDArray[np.int64], Paths]:
    """Return the nodes with a condition, the sorted keys of the leaves, and the paths of the leaves without values."""
    keys = _keys(found, "nodes_treeids", "nodes_nodeids")
    order = np.argsort(keys)
    keys, modes = keys[order], np.array(_strings(found, "nodes_modes"))[order]
    leaves, splits = np.flatnonzero(modes == "LEAF"), np.flatnonzero(modes != "LEAF")
    if len(leaves) > MOST_LEAVES:
        raise NotTreesError("too_large", f"its trees have {len(leaves):,} leaves, and at most {MOST_LEAVES:,} are read")
    if unknown := sorted(set(modes[splits].tolist()) - set(MODES)):
        raise NotTreesError("mode", f"its trees have nodes of the mode {unknown[0]}")
    missing = _ints(found, "nodes_missing_value_tracks_true")
    conditions = Splits(
        _ints(found, "nodes_featureids")[order][splits],
        _floats(found, "nodes_values")[order][splits].astype(np.float32),
        np.array([list(MODES).index(mode) for mode in modes[splits].tolist()], np.int64),
        (missing[order][splits] if len(missing) else np.zeros(len(splits))).astype(np.bool_),
    )
    # For each node the index of the condition above it, the position of that one, and the side of the node.
    above, parents = np.full(len(keys), -1), np.full(len(keys), -1)
    fulfilled = np.zeros(len(keys), np.bool_)
    for name, side in (("nodes_truenodeids", True), ("nodes_falsenodeids", False)):
        children = _positions(keys, _keys(found, "nodes_treeids", name)[order][splits])
        if (parents[children] >= 0).any() or len(np.unique(children)) < len(children):
            raise NotTreesError("not_a_tree", "its trees share nodes")
        above[children], parents[children], fulfilled[children] = np.arange(len(splits)), splits, side
    return conditions, keys[leaves], _climb(leaves, above, parents, fulfilled)


def _climb(
    nodes: NDArray[np.int64], above: NDArray[np.int64], parents: NDArray[np.int64], fulfilled: NDArray[np.bool_]
) -> Paths:
    """Return the conditions from each leaf to its root. `nodes` are the positions of the leaves."""
    leaves, parts = np.arange(len(nodes)), [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))]
    count = 0
    while len(nodes):
        inner = parents[nodes] >= 0
        nodes, leaves = nodes[inner], leaves[inner]
        count += len(nodes)
        if count > MOST_CONDITIONS:
            raise NotTreesError("too_large", f"the paths in its trees have more than {MOST_CONDITIONS:,} conditions")
        parts.append((leaves, above[nodes], fulfilled[nodes]))
        nodes = parents[nodes]
        if len(parts) > len(above) + 1:
            raise NotTreesError("not_a_tree", "its trees have a cycle")
    of_leaves, conditions, sides = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(of_leaves, kind="stable")
    return Paths(of_leaves[order], conditions[order], sides[order], np.empty(0), np.empty(0))


def _keys(found: Mapping[str, Any], trees: str, nodes: str) -> NDArray[np.int64]:
    """Return a number for each pair of a tree and a node."""
    return _ints(found, trees) * _ids(found) + _ints(found, nodes)


def _ids(found: Mapping[str, Any]) -> int:
    """Return a number that is larger than the id of each node."""
    return int(_ints(found, "nodes_nodeids").max(initial=0)) + 1


def _positions(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    if (keys[found] != wanted).any():
        raise NotTreesError("not_a_tree", "its trees name a node that they lack")
    return found


def _ints(found: Mapping[str, Any], name: str) -> NDArray[np.int64]:
    return np.array(found[name].ints if name in found else [], np.int64)


def _floats(found: Mapping[str, Any], name: str) -> NDArray[np.float64]:
    return np.array(found[name].floats if name in found else [], np.float64)


def _strings(found: Mapping[str, Any], name: str) -> list[str]:
    return [text.decode() for text in found[name].strings] if name in found else []


def _text(found: Mapping[str, Any], name: str, default: str) -> str:
    return found[name].s.decode() if name in found else default
