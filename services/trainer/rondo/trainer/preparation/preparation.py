"""The preparation of a model: it converts the features of rows to the matrix that an estimator takes.

The order of the steps is: parts of dates, derived columns, missing values, scales, encodings. By default a number stays
as it is, as float32. A missing number is NaN, for which the trees of estimator and ONNX graph have a learned branch. A
category always becomes numbers. Trees then need only `<=` tests, which every ONNX runtime supports, unlike LightGBM's
categorical splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from onnx import helper

from rondo.contracts.spec.preparation.checks import preparation_problems
from rondo.contracts.spec.preparation.vocabularies import CategoryEncoding
from rondo.trainer.errors import TrainingImpossibleError
from rondo.trainer.preparation import dates, hashing, inputs, numbers, one_hot, target
from rondo.trainer.preparation.indicators import Indicators
from rondo.trainer.preparation.target import TargetEncoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    import polars as pl
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import Feature, Prepare
    from rondo.trainer.preparation.numbers import Numbers

Encoding: TypeAlias = TargetEncoding | Indicators
# Any onnxruntime of the last years supports this version. Only dates need a newer one.
OPSET = 15


class PreparationError(TrainingImpossibleError):
    """`prepare` can't be used. An older spec may have been applied before a rule existed. `problems` has the faults."""

    code = "preparation"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("`prepare` can't be used: " + "; ".join(problems))


@dataclass(frozen=True)
class Preparation:
    """The features in the order of the signature, the numeric columns, and the encodings of categories.

    The numeric columns are the first ones of the matrix.
    """

    features: dict[str, Feature]
    numbers: Numbers
    encodings: dict[str, Encoding]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the matrix."""
        encoded = (name for feature, encoding in self.encodings.items() for name in encoding.names(feature))
        return (*self.numbers.columns.kept, *encoded)

    @property
    def opset(self) -> int:
        """The version of ONNX's operators that the nodes need."""
        return dates.OPSET if self.numbers.columns.dates else OPSET

    def apply(self, rows: pl.DataFrame) -> NDArray[np.float32]:
        """Return the matrix of rows, shape `[rows, columns]`.

        Raises:
            MissingColumnsError: a feature is no column of `rows`.

        """
        inputs.check_columns(self.features, rows)
        encoded = (encoding.apply(inputs.category(rows, name)) for name, encoding in self.encodings.items())
        return np.hstack([self.numbers.apply(rows), *encoded])

    def onnx_nodes(self, matrix: str) -> list[onnx.NodeProto]:
        """Return the nodes from the features, each a tensor of its name, to `matrix`, float32 `[N, columns]`."""
        nodes, tensors = self.numbers.onnx_nodes()
        for name, encoding in self.encodings.items():
            tensors.append(f"encoded.{name}")
            nodes += encoding.onnx_nodes(name, tensors[-1])
        return [*nodes, helper.make_node("Concat", tensors, [matrix], name=matrix, axis=1)]


def fit(
    features: Mapping[str, Feature], prepare: Prepare, rows: pl.DataFrame, targets: NDArray[np.float32]
) -> tuple[Preparation, NDArray[np.float32]]:
    """Fit to training rows, and return the preparation and the matrix to fit an estimator to.

    `targets`, shape `[rows, targets]`, are the numbers whose means are the target encoding: 0 or 1, a 0 or 1 for each
    class, or a value. The matrix differs from the result of `apply` for the same rows: see `target`.

    Raises:
        PreparationError: `prepare` contradicts the features, or has a word that is unknown to this release.
        MissingColumnsError: a feature is no column of `rows`.
        NothingToImputeError: a column has no value to impute missing ones with.

    """
    _check(features, prepare)
    inputs.check_columns(features, rows)
    encoded = [
        name
        for name, feature in features.items()
        if feature.type == "category" and name not in prepare.dates and name not in prepare.drop
    ]
    # One matrix is allocated at the start, because a concatenation at the end would hold all columns twice. Spare
    # columns that an encoding does not need are never written, so they use no memory.
    spare = sum(_most_columns(prepare, name, targets) for name in encoded)
    fitted, matrix = numbers.fit(features, prepare, rows, spare)
    encodings, used = {}, len(fitted.columns.kept)
    for name in encoded:
        encodings[name], columns = _fit_encoding(prepare, name, inputs.category(rows, name), targets)
        matrix[:, used : used + columns.shape[1]] = columns
        used += columns.shape[1]
    return Preparation(dict(features), fitted, encodings), matrix[:, :used]


def _check(features: Mapping[str, Feature], prepare: Prepare) -> None:
    plain = {"features": {name: each.model_dump() for name, each in features.items()}, "prepare": prepare.model_dump()}
    if problems := list(preparation_problems(plain)):
        raise PreparationError([f"`{'.'.join(map(str, p.path))}`{p.separator}{p.message}" for p in problems])


def _most_columns(prepare: Prepare, name: str, targets: NDArray[np.float32]) -> int:
    match prepare.encode.get(name, CategoryEncoding.TARGET):
        case CategoryEncoding.ONE_HOT:
            return prepare.one_hot_levels
        case CategoryEncoding.HASH:
            return prepare.hash_buckets
        case _:
            return int(targets.shape[1])


def _fit_encoding(
    prepare: Prepare, name: str, text: pl.Series, targets: NDArray[np.float32]
) -> tuple[Encoding, NDArray[np.float32]]:
    match prepare.encode.get(name, CategoryEncoding.TARGET):
        case CategoryEncoding.ONE_HOT:
            return one_hot.fit(text, prepare.one_hot_levels)
        case CategoryEncoding.HASH:
            return hashing.fit(text, prepare.hash_buckets)
        case _:
            return target.fit(text, targets)
