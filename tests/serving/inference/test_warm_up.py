"""A version answers two requests of its own before it serves, or is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.spec.model import Feature
from rondo.serving.errors import VersionRefusedError
from rondo.serving.inference.warm_up import warm_up
from rondo.serving.models.loaded_version import LoadedVersion
from rondo.serving.models.onnx_runtime import OnnxModel
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.limits import example
from rondo.serving.requests.schema import RequestSchema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIGEST = f"sha256:{1:064x}"


class Scorer:
    """Returns what `score` returns for the first column of numbers."""

    def __init__(self, score: Callable[[Any], Any]) -> None:
        self._score = score

    def score(self, columns: Mapping[str, Any]) -> Any:
        return self._score(next(column for column in columns.values() if column.dtype == np.float32))


def test_a_version_whose_features_are_far_from_zero_is_warmed_up(model: Callable[..., bytes]) -> None:
    features = {
        "hot": Feature(type="float", min=100), "cold": Feature(type="float", max=-100.5),
        "few": Feature(type="int", min=0.5, max=3), "owed": Feature(type="int", max=-0.5),
        "sure": Feature(type="bool", min=1), "code": Feature(type="category", values=("x",)),
    }  # fmt: skip
    scorer, schema = OnnxModel(model(1.0, features), features), RequestSchema("m", features)
    warm_up(LoadedVersion("m", 1, DIGEST, schema, scorer, VersionLog("m", 1, DIGEST, features)))
    assert {name: example(feature) for name, feature in features.items()} == {
        "hot": 100, "cold": -100.5, "few": 1, "owed": -1, "sure": True, "code": "x",
    }  # fmt: skip


@pytest.mark.parametrize(
    "score",
    [np.log, lambda column: column[:1], lambda _: 1 / 0],
    ids=["not finite", "one score for two rows", "an exception"],
)
def test_a_version_without_a_finite_score_per_row_is_refused(
    version: Callable[..., LoadedVersion], score: Callable[[Any], Any]
) -> None:
    with np.errstate(divide="ignore"), pytest.raises(VersionRefusedError) as caught:
        warm_up(replace(version(4), scorer=Scorer(score)))
    assert (caught.value.code, caught.value.model, caught.value.model_version) == ("version_refused", "delay", 4)


def test_a_version_that_fails_where_an_optional_feature_is_missing_is_refused(model: Callable[..., bytes]) -> None:
    features = {"seats": Feature(type="int", optional=True)}
    log, schema = VersionLog("m", 1, DIGEST, features), RequestSchema("m", features)
    warm_up(LoadedVersion("m", 1, DIGEST, schema, Scorer(np.nan_to_num), log))
    with pytest.raises(VersionRefusedError):
        warm_up(LoadedVersion("m", 1, DIGEST, schema, Scorer(lambda column: column + 1), log))
