"""Builders of a model's state with rows in every table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rondo.monitor.alerts.alarms import Repetition
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.model_state import ModelState
from rondo.monitor.ports import ChampionRevision
from rondo.monitor.state.evidence_codec import encode_evidence
from rondo.monitor.stream.log_messages import read_predictions
from rondo.monitor.stream.message_buffer import MessageBuffer
from rondo.monitor.windows.labelled import LabelledRows
from rondo.monitor.windows.unmatched_rows import UnmatchedRows

from tests.monitor.builders import (
    DIGEST,
    DIGEST_2,
    MODEL,
    REFERENCE,
    SPEC,
    WRITTEN,
    encode_predictions,
    outcomes,
    predictions,
    rows,
    times,
)

if TYPE_CHECKING:
    import pyarrow as pa


def add_rows(state: ModelState, first: int, count: int) -> None:
    """Add predictions, an outcome for every third, an outcome without a prediction, and a buffered message."""
    ids = [f"{first + n}" for n in range(count)]
    table = predictions(rows(np.random.default_rng(first), count), times(0, count), ids)
    state.count_predictions(table, 1, REFERENCE)
    known = [*ids[::3], f"unknown-{first}"]
    state.add_outcomes(outcomes(list(known), np.ones(len(known)), times(0.01, len(known))), WRITTEN)
    value = encode_predictions(table, 2, DIGEST_2)
    state.buffer_predictions(value, read_predictions(value), now=0.0)


def filled_state() -> ModelState:
    state = ModelState(MODEL)
    state.apply_spec(SPEC)
    state.promote(ChampionRevision(3, 1, DIGEST))
    add_rows(state, 0, 30)
    state.settle()
    state.alarms.suspicions["losses"] = Repetition(1, 2)
    return state


def without_row_numbers(state: ModelState) -> tuple[ModelState, Any]:
    """Return what a checkpoint preserves: the state without row numbers, and buffered messages with evidence."""
    unmatched = UnmatchedRows(_dropped(state.unmatched.predictions), _dropped(state.unmatched.outcomes))
    labelled = LabelledRows(_dropped(state.labelled.table))
    buffered = [each.value for each in state.buffer.messages]
    evidence = encode_evidence(state.evidence).to_pylist()
    without = replace(
        state, unmatched=unmatched, labelled=labelled, evidence=ModelEvidence(), buffer=MessageBuffer(), spec=None
    )
    return without, (buffered, evidence)


def _dropped(table: pa.Table) -> pa.Table:
    return table.drop_columns(["row"]).combine_chunks()
