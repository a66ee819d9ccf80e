"""Rows with a weight near 0 hardly count, with any estimator."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from rondo.contracts.spec.parameters.sklearn import USES
from rondo.contracts.spec.policy import Trainer
from rondo.trainer.estimators.base import Target
from rondo.trainer.worker.app import pipeline
from sklearn.utils.validation import has_fit_parameter

ESTIMATORS = pipeline(threads=1).estimators
TARGETS = {
    "binary": Target("probability", 2),
    "multiclass": Target("probabilities", 3),
    "regression": Target("number", 0),
}


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("kind", ["lightgbm", "xgboost", "sklearn"])
def test_rows_count_by_their_weights(kind: str, task: str) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(600, 2)).astype(np.float32)
    # From the middle on it is the other way round.
    value = np.where(np.arange(600) < 300, matrix[:, 0], -matrix[:, 0])
    labels = {"binary": value > 0, "multiclass": np.digitize(value, [-0.5, 0.5]), "regression": value}
    step = "sklearn.linear_model." + ("Ridge" if task == "regression" else "LogisticRegression")
    trainer = {"kind": kind} | ({"steps": [{"use": step}]} if kind == "sklearn" else {"params": {"n_estimators": 20}})
    estimator = ESTIMATORS[kind]
    params = estimator.check_params(task, Trainer.model_validate(trainer))
    weights = np.where(np.arange(600) < 300, 1e-3, 1.0)
    model = estimator.fit(TARGETS[task], params, 7, matrix, labels[task].astype(np.float32), weights)
    predicted = model.predict(np.array([[-1.5, 0], [1.5, 0]], np.float32))[:, -1]
    assert predicted[0] > predicted[1]


def test_every_class_that_ends_steps_takes_weights() -> None:
    last = [use for use, described in USES.items() if described.role != "transformer"]
    assert len(last) > 10
    for use in last:
        module, _, name = use.rpartition(".")
        assert has_fit_parameter(getattr(import_module(module), name), "sample_weight"), use
