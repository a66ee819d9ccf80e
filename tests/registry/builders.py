"""Slice metrics, and readers of gate results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onnx import TensorProto, helper
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import Comparison, SliceMetrics

if TYPE_CHECKING:
    from rondo.contracts.events.models import GateResult


def onnx_model(name: str, task: str | None = "binary") -> bytes:
    """Return a small model, with a task unless it is None. Models with different names have different bytes."""
    value = [None, 1]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["score"])],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, value)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, value)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    if task is not None:
        helper.set_model_props(model, {FittedTask.METADATA: FittedTask(task=task).model_dump_json()})
    return bytes(model.SerializeToString())


def by(column: str, rows: int = 500, **aucs: float | None) -> tuple[SliceMetrics, ...]:
    """Return figures by the values of a column."""
    return tuple(
        SliceMetrics(column=column, value=value, rows=rows, metrics={} if auc is None else {"roc_auc": auc})
        for value, auc in aucs.items()
    )


def compared(auc: float, champion: float, error: float = 0.0) -> Comparison:
    """Return the comparison of two ROC AUCs, with bounds `error` below and above their difference."""
    loss = champion - auc
    return Comparison(
        metric="roc_auc", loss=loss, low=loss - error, high=loss + error, confidence=0.95, resamples=1_000
    )


def results(*gates: GateResult) -> dict[str, bool]:
    """Return for each gate whether it passed."""
    return {gate.gate: gate.passed for gate in gates}


def figures(text: str) -> list[str]:
    """Return the numbers in a message, as written."""
    return re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)


def message(gates: tuple[GateResult, ...], name: str) -> str:
    return next(gate.message for gate in gates if gate.gate == name)
