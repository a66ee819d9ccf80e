"""The rate at which versions alarm without a change: at most the stated rate, over all looks."""

from __future__ import annotations

import numpy as np
import pytest
from rondo.contracts.tasks.registry import task_named
from rondo.monitor.evidence.component_sums import INPUT_GROUPS
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.evidence.staged_test import Buckets
from rondo.monitor.evidence.version_evidence import VersionEvidence

from tests.monitor.builders import predictions, times
from tests.monitor.evidence.buckets import MINUTE, exact
from tests.monitor.streams import STREAMS, Stream, counted

RATE, SEEDS, WINDOWS, ROWS = 0.2, 20, 60, 100


def evidence_of(stream: Stream, seed: int) -> VersionEvidence:
    """Return the evidence about a version after several windows of rows, all distributed like its reference."""
    reference = Reference.of(stream.profile_of(2_000, 86_400, seed, bias=True), f"{seed}")
    evidence, rng = VersionEvidence.of(reference.digest, reference.profile), np.random.default_rng(1_000 + seed)
    count = WINDOWS * ROWS
    data = stream.rows(rng, count)
    groups, buckets = np.arange(count) // 8, count // 8
    starts, full = MINUTE * np.arange(buckets), np.full(buckets, 8)
    bins = reference.binning.count_groups(predictions(data, times(0, count), ["i"] * count), groups, buckets)
    for group in INPUT_GROUPS:
        evidence.take(group, Buckets(starts, full, reference.components.sums(group, bins), MINUTE))
    rows = counted(data, stream.outcomes(rng, data))
    task = task_named(stream.task)
    losses, uncovered = task.losses(reference.task, rows, reference.largest_loss), task.uncovered(reference.task, rows)
    bias = task.bias(reference.task, rows, reference.largest_loss)
    assert bias is not None
    of_rows = [losses, *([] if uncovered is None else [uncovered]), bias, -bias]
    sums = exact(np.array(of_rows)).reshape(-1, buckets, 8).sum(axis=2)
    evidence.take("loss", Buckets(starts, full, sums.T, MINUTE))
    return evidence


@pytest.mark.slow
@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_without_a_change_no_more_versions_alarm_than_the_rate_says(stream: Stream) -> None:
    alarmed = [seed for seed in range(SEEDS) if list(evidence_of(stream, seed).alarms(RATE))]
    assert len(alarmed) <= RATE * SEEDS
