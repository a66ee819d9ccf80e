"""Reads the trees of a LightGBM model into the flat lists of an ONNX tree ensemble.

Two details make the graph agree with LightGBM on every float32 row. A threshold is a double in LightGBM and a float32
in ONNX: it is rounded down, so that `x <= threshold` is the same for every float32 `x`. And where a feature had no
missing value in training, LightGBM treats a later one as 0 (`missing_type` None), so NaN takes the branch of 0.
`onnxmltools` does neither (it rounds thresholds to the nearest float32), so the trees are read here.

They are read from the text of the model, not from the JSON of `dump_model`, which takes ten times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.estimators.tree_ensemble import Tree, TreeEnsemble, float32_at_most

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

LIGHTGBM_INFINITY = 1e300
# The bits of `decision_type`, see LightGBM's `include/LightGBM/tree.h`.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING_TYPE = 1, 2, 2
_MISSING_TYPES = ("None", "Zero", "NaN")


class UnsupportedSplitError(TrainingImpossibleError):
    """The model has a kind of split that the ONNX graph can't express."""

    code = "unsupported_split"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"the ONNX graph can't express a split of kind {kind!r}: train with other `trainer.params`")


def read(model: str, width: int) -> TreeEnsemble:
    """Read the result of `Booster.model_to_string`. Tree i adds to the margin of class `i % width`.

    Raises:
        UnsupportedSplitError: a split is no `<=` on a number, or a leaf is no constant.
        TooManyNodesError: the ensemble is larger than a model may be.

    """
    trees = TreeEnsemble(width)
    for index, fields in enumerate(_fields(model)):
        trees.add(_tree(fields, index % width), "BRANCH_LEQ")
    return trees


def float32_thresholds(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the thresholds of a graph. LightGBM writes infinity as 1e300."""
    return np.where(values >= LIGHTGBM_INFINITY, np.float32(np.inf), float32_at_most(values))


def _fields(model: str) -> Iterator[Mapping[str, str]]:
    """Yield the fields of each tree."""
    trees, _, _ = model.partition("\nend of trees\n")
    for tree in trees.split("\nTree=")[1:]:
        yield dict(line.split("=", 1) for line in tree.splitlines() if "=" in line)


def _tree(fields: Mapping[str, str], of_class: int) -> Tree:
    """Return the splits in LightGBM's order and then the leaves. A child is a split, or `-1 - n` for the leaf n."""
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedSplitError("linear leaf")
    # A tree of a single leaf has none of the other fields, or they are empty.
    features, decisions, left, right = (
        np.array(fields.get(name, "").split(), np.int64)
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    thresholds, leaves = (np.array(fields.get(name, "").split(), np.float64) for name in ("threshold", "leaf_value"))
    splits, none = len(features), np.zeros(len(leaves))

    def with_leaves(of_splits: NDArray[Any], of_leaves: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([of_splits, of_leaves.astype(of_splits.dtype)])

    return Tree(
        features=with_leaves(features, none),
        thresholds=with_leaves(float32_thresholds(thresholds), none),
        left=with_leaves(np.where(left < 0, splits - 1 - left, left), none - 1),
        right=with_leaves(np.where(right < 0, splits - 1 - right, right), none - 1),
        missing_goes_left=with_leaves(_missing_goes_left(decisions, thresholds), none),
        leaves=with_leaves(np.zeros(splits, np.float32), leaves)[:, None],
        target=of_class,
    )


def _missing_goes_left(decisions: NDArray[np.int64], thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    missing = decisions >> _MISSING_TYPE
    if (decisions & _CATEGORICAL).any():
        raise UnsupportedSplitError("==")
    if (missing == _MISSING_TYPES.index("Zero")).any():
        raise UnsupportedSplitError("<=, missing as Zero")
    by_default: NDArray[np.bool_] = (decisions & _DEFAULT_LEFT) > 0
    return np.where(missing == _MISSING_TYPES.index("NaN"), by_default, thresholds >= 0)
