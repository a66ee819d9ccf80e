"""Calibration of the predictions on a holdout, by bin of the prediction."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.contracts.tasks.registry import task_named
from rondo.trainer.evaluation.calibration import calibration_of
from rondo.trainer.evaluation.reference_blocks import of_losses
from rondo.trainer.evaluation.reference_profile import numeric

from tests.monitor.streams import STREAMS, Stream, counted


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_rows_without_an_outcome_do_not_count_and_means_add_up(stream: Stream) -> None:
    rng = np.random.default_rng(1)
    data = stream.rows(rng, 1_000)
    rows = counted(data, stream.outcomes(rng, data))
    fitted, output = stream.profile.task, task_named(stream.task).counted["number"]
    outputs = {output: numeric(rows["number"].to_numpy())}
    found = calibration_of(fitted, rows, outputs, of_losses(fitted, rows))
    assert found
    assert (found.output, found.rows) == (output, outputs[output].counts)
    reference = of_losses(fitted, rows)
    assert reference
    losses = task_named(stream.task).losses(fitted, rows, reference.largest)
    loss = found.figures["loss"]
    assert np.array(found.rows) @ loss.means == pytest.approx(losses.sum(), rel=1e-6)
    squares = np.array(found.rows) @ (np.array(loss.variances) + np.array(loss.means) ** 2)
    assert squares == pytest.approx((losses**2).sum(), rel=1e-6)
    column = "outcome_label" if stream.task == "multiclass" else "outcome"
    outcomes = rows[column].to_pylist()
    unlabelled = rows.set_column(
        rows.schema.get_field_index(column), rows.schema.field(column), [[*outcomes[:600], *[None] * 400]]
    )
    some = calibration_of(fitted, unlabelled, outputs, of_losses(fitted, rows))
    assert some
    assert sum(some.rows) == 600


def test_without_losses_or_a_profile_of_the_prediction_there_is_none() -> None:
    (stream, *_) = STREAMS
    rng = np.random.default_rng(1)
    data = stream.rows(rng, 100)
    rows = counted(data, stream.outcomes(rng, data))
    fitted = stream.profile.task
    assert calibration_of(fitted, rows, {"score": numeric(data["score"])}, None) is None
    assert calibration_of(fitted, rows, {}, of_losses(fitted, rows)) is None
