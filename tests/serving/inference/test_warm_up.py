"""A version must answer two requests in its warm-up before it serves, or it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rondo.contracts.spec.model import Feature
from rondo.serving.errors import VersionRefusedError
from rondo.serving.inference.warm_up import warm_up
from rondo.serving.prediction_log.batch import VersionLog
from rondo.serving.requests.limits import example
from rondo.serving.requests.schema import RequestSchema

from tests.serving.builders import INTERVAL, MULTICLASS, NUMBERED, REGRESSION, TEXTS, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rondo.contracts.tasks.base import FittedTask
    from rondo.serving.models.loaded_version import LoadedVersion


class Scorer:
    """Returns the value that `predict` returns for the first column of numbers."""

    def __init__(self, predict: Callable[[Any], Any]) -> None:
        self._predict = predict

    def score(self, columns: Mapping[str, Any]) -> Any:
        return {"value": self._predict(next(column for column in columns.values() if column.dtype == np.float32))}


@pytest.mark.parametrize("fitted", [TEXTS, MULTICLASS, NUMBERED, REGRESSION, INTERVAL], ids=lambda fitted: fitted.task)
def test_a_version_of_every_task_is_warmed_up(version: Callable[..., LoadedVersion], fitted: FittedTask) -> None:
    warm_up(version(1, fitted=fitted))


def test_a_version_whose_features_are_far_from_zero_is_warmed_up(model: Callable[..., bytes]) -> None:
    features = {
        "hot": Feature(type="float", min=100), "cold": Feature(type="float", max=-100.5),
        "few": Feature(type="int", min=0.5, max=3), "owed": Feature(type="int", max=-0.5),
        "sure": Feature(type="bool", min=1), "code": Feature(type="category", values=("x",)),
    }  # fmt: skip
    warm_up(version_of("m", 1, model(1.0, features), features))
    assert {name: example(feature) for name, feature in features.items()} == {
        "hot": 100, "cold": -100.5, "few": 1, "owed": -1, "sure": True, "code": "x",
    }  # fmt: skip


@pytest.mark.parametrize(("live", "seconds"), [(True, 0.1), (False, 3.0)])
def test_the_pace_of_a_live_version_has_no_one_time_costs(
    version: Callable[..., LoadedVersion],
    monkeypatch: pytest.MonkeyPatch,
    live: bool,  # noqa: FBT001
    seconds: float,
) -> None:
    clock, made = [0.0], version()
    monkeypatch.setattr("rondo.serving.inference.warm_up.time.perf_counter", lambda: clock[0])

    class Cold:
        def score(self, columns: Mapping[str, Any]) -> Any:
            rows = len(next(iter(columns.values())))
            clock[0] += rows * (3.0 if not clock[0] else 0.1)
            return made.scorer.score(columns)

    assert warm_up(replace(made, scorer=Cold()), live=live) == pytest.approx(seconds)


class Lengths:
    """Returns the lengths of the texts of the first column."""

    def score(self, columns: Mapping[str, Any]) -> Any:
        return {"value": np.array([len(text) for text in next(iter(columns.values()))], np.float32)}


def test_a_version_without_a_number_among_its_features_is_warmed_up(version: Callable[..., LoadedVersion]) -> None:
    features = {"carrier": Feature(type="category"), "note": Feature(type="category", optional=True)}
    mine = version(fitted=REGRESSION)
    log = VersionLog("delay", 1, mine.digest, features, mine.outputs)
    warm_up(replace(mine, schema=RequestSchema("delay", features), scorer=Lengths(), log=log))


@pytest.mark.medium
@pytest.mark.parametrize(
    "predict",
    [np.log, lambda column: column[:1], lambda _: 1 / 0],
    ids=["not finite", "one value for two rows", "an exception"],
)
def test_a_version_without_a_finite_value_per_row_is_refused(
    version: Callable[..., LoadedVersion], predict: Callable[[Any], Any]
) -> None:
    for live in (True, False):
        with np.errstate(divide="ignore"), pytest.raises(VersionRefusedError) as caught:
            warm_up(replace(version(4, fitted=REGRESSION), scorer=Scorer(predict)), live=live)
        assert (caught.value.code, caught.value.model, caught.value.model_version) == ("version_refused", "delay", 4)


def test_a_version_that_fails_where_an_optional_feature_is_missing_is_refused(model: Callable[..., bytes]) -> None:
    features = {"seats": Feature(type="int", optional=True)}
    version = version_of("m", 1, model(1.0, features, REGRESSION), features)
    warm_up(replace(version, scorer=Scorer(np.nan_to_num)))
    with pytest.raises(VersionRefusedError):
        warm_up(replace(version, scorer=Scorer(lambda column: column + 1)))
