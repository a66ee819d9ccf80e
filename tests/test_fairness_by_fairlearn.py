"""The gaps of the fairness gate are those of fairlearn's `MetricFrame` on the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.spec.model import FairnessGate, Gates
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import Evaluation
from rondo.registry.gates.slices import fairness
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.slices import evaluate_slices

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("ash", "elm", "oak", "yew")
DECISIONS = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
ERRORS = ("mae", "rmse")


def by_fairlearn(tables: list[dict[str, Any]]) -> dict[str, float]:
    """Return the gaps by task and metric, computed in an environment that has fairlearn."""
    uv, script = ROOT / ".venv" / "uv" / "bin" / "uv", ROOT / "tests" / "support" / "fairlearn_gaps.py"
    command = [str(uv), "run", "--quiet", "--no-project", "--python", sys.executable, "--script", str(script)]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - our own command
        command, input=json.dumps(tables), capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def gap(scored: Scored, groups: list[str], metric: str) -> float | None:
    """Return the gap that the gate observes."""
    slices = tuple(evaluate_slices(pl.Series("group", groups), scored, (metric,)))
    gates = Gates(fairness=FairnessGate(by="group", metric=metric, max_gap=0.1), min_slice_rows=1)
    return fairness(Evaluation(metrics={}, slices=slices), gates, metric).observed


@pytest.mark.slow  # it installs fairlearn in an environment of its own
@pytest.mark.timeout(600)
def test_the_gaps_are_those_of_fairlearn() -> None:
    rng = np.random.default_rng(1)
    groups = rng.choice(GROUPS, 4_000, p=(0.5, 0.3, 0.19, 0.01)).tolist()
    of_group = np.array([GROUPS.index(group) for group in groups])
    targets = rng.random(4_000) < 0.2 + 0.1 * of_group
    labels = np.where(rng.random(4_000) < 0.7 - 0.05 * of_group, targets, ~targets)
    values = rng.normal(30, 10, 4_000).astype(np.float32)
    errors = (rng.normal(size=4_000) * (1 + of_group)).astype(np.float32)
    binary = Scored(
        FittedTask(task="binary", labels=("0", "1")),
        targets.astype(np.float32),
        {"score": labels.astype(np.float32), "label": labels.astype(np.int64)},
    )
    regression = Scored(FittedTask(task="regression"), values, {"value": values + errors})
    kinds = rng.integers(0, 3, 4_000)
    decided = np.where(rng.random(4_000) < 0.9 - 0.1 * of_group, kinds, (kinds + 1) % 3)
    multiclass = Scored(
        FittedTask(task="multiclass", labels=("early", "late", "on time")),
        kinds.astype(np.float32),
        {"label": decided.astype(np.int64)},
    )
    compared = (
        (binary, DECISIONS, targets, labels),
        (multiclass, ("accuracy",), kinds, decided),
        (regression, ERRORS, values, regression.outputs["value"]),
    )
    ours = {
        f"{scored.task.task}, {name}": gap(scored, groups, name) for scored, names, _, _ in compared for name in names
    }
    theirs = by_fairlearn(
        [
            {
                "task": scored.task.task,
                "metrics": names,
                "targets": observed.tolist(),
                "predicted": predicted.tolist(),
                "groups": groups,
            }
            for scored, names, observed, predicted in compared
        ]
    )
    assert ours.keys() == theirs.keys()
    assert ours == pytest.approx(theirs, rel=1e-9)
    assert min(theirs.values()) > 0.03
