"""Builders of window counts, and of a reference for the statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.training_evidence import CategoricalProfile, NumericProfile, ReferenceProfile
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.windows.window_counts import WindowCounts

from tests.monitor.builders import REFERENCE
from tests.monitor.streams import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.monitor.streams import Data


def reference_of(features: Mapping[str, NumericProfile | CategoricalProfile]) -> Reference:
    score = NumericProfile(edges=(0.5,), counts=(500, 500))
    profile = ReferenceProfile(
        rows=1_000,
        features=dict(features),
        outputs={"score": score},
        task=FittedTask(task="binary"),
        performance={},
    )
    return Reference.of(profile)


def window(bins: Mapping[str, list[int]], reference: Reference = REFERENCE) -> WindowCounts:
    """Return a window with these counts by column, the missing values last. Other columns equal the reference."""
    counts = reference.counts.copy()
    for column in reference.binning.columns:
        if column.name in bins:
            column.of(counts)[:] = bins[column.name]
    rows = int(reference.binning.columns[0].of(counts).sum())
    return WindowCounts.empty(reference, 1).with_rows(rows, counts)


def labelled(data: Data, outcomes: np.ndarray, reference: Reference = REFERENCE) -> WindowCounts:
    """Return a window with these predictions and outcomes, in one bucket."""
    buckets = np.zeros(len(outcomes), np.int64)
    return window({}, reference).with_labelled(counted(data, outcomes), buckets)
