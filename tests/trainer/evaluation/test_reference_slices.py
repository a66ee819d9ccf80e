"""The slices that the monitor compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rondo.contracts.spec.model import ModelSpec
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.evaluation.metrics.metrics import compute
from rondo.trainer.evaluation.metrics.scored import Scored
from rondo.trainer.evaluation.reference_blocks import MOST_STRETCHES_OF_SLICE
from rondo.trainer.evaluation.reference_profile import counted_rows
from rondo.trainer.evaluation.slices import reference_slices

if TYPE_CHECKING:
    from rondo.contracts.training_evidence import SliceReference

COUNT = 1_000
TASK = FittedTask(task="binary", labels=("0", "1"), threshold=0.5)


def spec(**gates: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "loans",
            "data": {"dataset": "loans", "entity": "who", "event_time": "at", "label": "late"},
            "features": {"city": {"type": "category"}, "rooms": {"type": "int"}, "x": {"type": "float"}},
            "gates": gates,
        }
    )


def rows() -> tuple[pl.DataFrame, Scored]:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "city": rng.choice(["a", "b", "rare", None], COUNT, p=[0.5, 0.38, 0.02, 0.1]).tolist(),
            "rooms": rng.integers(1, 3, COUNT),
        }
    )
    score = rng.random(COUNT).astype(np.float32)
    outputs: dict[str, Any] = {"score": score, "label": (score >= 0.5).astype(np.int64)}
    return frame, Scored(TASK, (rng.random(COUNT) < score).astype(np.float32), outputs)


def found(**gates: Any) -> list[SliceReference]:
    frame, scored = rows()
    return list(reference_slices(spec(**gates), frame, TASK, counted_rows(scored)))


def test_the_groups_and_slices_with_enough_rows_have_the_figures_of_their_rows() -> None:
    frame, scored = rows()
    slices = found(slices=["rooms", "city"], fairness={"by": "city", "max_gap": 0.2}, min_slice_rows=50)
    assert [(each.column, each.value) for each in slices] == [
        ("city", ""), ("city", "a"), ("city", "b"), ("rooms", "1"), ("rooms", "2"),
    ]  # fmt: skip
    mine = scored.take((frame["rooms"] == 2).to_numpy())
    assert slices[-1].rows == len(mine)
    for name in ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"):
        assert slices[-1].performance[name].value == compute(name, mine)


def test_a_spec_that_names_none_has_none() -> None:
    assert found() == []
    assert found(slices=["city"], min_slice_rows=COUNT) == []


def test_the_losses_of_a_slice_are_of_its_rows_in_their_order_on_the_scale_of_all() -> None:
    frame, scored = rows()
    counted, task = counted_rows(scored), task_named(TASK.task)
    losses = task.losses(TASK, counted, task.largest_loss(TASK, counted))
    for each in found(slices=["rooms"], min_slice_rows=50):
        mine = losses[(frame["rooms"] == int(each.value)).to_numpy()]
        assert each.loss is not None
        assert len(each.loss.means) <= MOST_STRETCHES_OF_SLICE
        latest = mine[len(mine) % each.loss.rows :].reshape(-1, each.loss.rows).mean(axis=1)
        assert np.allclose(each.loss.means, latest, atol=1e-9)
        assert (each.loss.largest, each.loss.uncovered) == (None, None)
