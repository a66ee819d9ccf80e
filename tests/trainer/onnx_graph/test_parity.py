"""The comparison of a graph with its model: every output of the task counts, each in its own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from rondo.contracts.tasks.base import FittedTask, Interval, Output
from rondo.contracts.tasks.binary import Binary
from rondo.contracts.tasks.registry import TASKS
from rondo.trainer.onnx_graph.parity import BOUND, ParityError, compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from rondo.contracts.training_evidence import Parity

SCORED = FittedTask(task="binary", labels=("0", "1"), threshold=0.5)
CLASSES = FittedTask(task="multiclass", labels=("ash", "elm", "oak"))
VALUED = FittedTask(task="regression", interval=Interval(coverage=0.8, half_width=1.0))


def compared(fitted: FittedTask, raw: Any, **changed: Any) -> Parity:
    """Compare the outputs of raw predictions with outputs of a graph, of which some are `changed`."""
    raw = np.asarray(raw, np.float64).reshape(len(raw), -1)
    model = TASKS[fitted.task].predictions(fitted, raw)
    graph: Mapping[str, NDArray[Any]] = model | {name: np.asarray(each) for name, each in changed.items()}
    rows = pl.DataFrame({"row": range(len(raw))})
    return compare(fitted, lambda at: raw[at], model, graph, rows, native=True)


@pytest.mark.parametrize("score", [0.2501, np.nan])
def test_a_graph_that_is_not_the_model_is_not_used(score: float) -> None:
    with pytest.raises(ParityError) as refusal:
        compared(SCORED, [0.75, 0.25], score=[0.75, score])
    assert refusal.value.row == {"row": 1}
    assert "differ from the model's by" in str(refusal.value)
    assert "is allowed" in str(refusal.value)


def test_a_small_value_is_compared_by_the_usual_size_of_values() -> None:
    native = np.array([1e6, 1.0, -1e6])
    plain = FittedTask(task="regression")
    found = compared(plain, native, value=native + np.array([0, 1, 0]))
    assert found.max_difference == pytest.approx(1e-6)
    with pytest.raises(ParityError):
        compared(plain, native / 1e9, value=native / 1e9 + np.array([0, 1e-4, 0]))


def test_numbers_with_fewer_digits_than_usual_differ_by_their_rounding() -> None:
    native = np.array([3e-40, 1e-40, -2e-40])
    assert compared(FittedTask(task="regression"), native, value=native.astype(np.float32)).max_difference < 1e-6


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_an_interval_are_compared(end: str) -> None:
    with pytest.raises(ParityError):
        compared(VALUED, [1.0, 2.0], **{end: [1.0, 2.0]})


@pytest.mark.parametrize(
    ("fitted", "raw", "label"),
    [
        (SCORED, [0.9, 0.1], [1, 1]),
        (CLASSES, [[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]], [0, 1]),
        (CLASSES, [[0.6, 0.3, 0.1], [0.45, 0.1, 0.45]], [0, 1]),
    ],
    ids=["threshold", "class", "third class"],
)
def test_a_wrong_label_beside_the_right_probability_is_found(fitted: FittedTask, raw: Any, label: list[int]) -> None:
    with pytest.raises(ParityError) as refusal:
        compared(fitted, raw, label=label)
    assert refusal.value.row == {"row": 1}


@pytest.mark.parametrize(
    ("fitted", "raw", "label"),
    [
        (SCORED, [0.5 + BOUND / 2, 0.5 - BOUND / 2], [0, 1]),
        (CLASSES, [[0.4, 0.4 - BOUND, 0.2], [0.2, 0.4, 0.4]], [1, 2]),
        (CLASSES, [[np.nan] * 3, [0.1, 0.2, 0.7]], [2, 2]),
    ],
    ids=["threshold", "tie", "no number"],
)
def test_a_label_may_differ_where_the_bound_decides_it(fitted: FittedTask, raw: Any, label: list[int]) -> None:
    assert compared(fitted, raw, label=label).max_difference == 0


class Renamed(Binary):
    """A task with other names of outputs."""

    name = "renamed"

    def outputs(self, fitted: FittedTask) -> tuple[Output, ...]:  # noqa: ARG002
        return (Output("chance", "number", of_label=1),)

    def predictions(self, fitted: FittedTask, raw: NDArray[np.float64]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        return {"chance": raw[:, 0].astype(np.float32)}


def test_the_outputs_of_a_new_task_are_compared_by_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "renamed", Renamed())
    fitted = FittedTask(task="renamed")
    assert compared(fitted, [0.1, 1e-4], chance=[0.1, 1e-4 + BOUND / 2]).max_difference == pytest.approx(BOUND / 2, 0.1)
    with pytest.raises(ParityError):
        compared(fitted, [0.1, 0.2], chance=[1e9, -5])


def test_a_task_without_outputs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "renamed", Renamed())
    monkeypatch.setattr(Renamed, "outputs", lambda *_: ())
    with pytest.raises(ValueError, match="renamed"):
        compared(FittedTask(task="renamed"), [0.1, 0.2])
