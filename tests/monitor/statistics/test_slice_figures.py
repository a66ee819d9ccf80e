"""The figures of slices in a window, and the gaps between groups."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rondo.contracts.training_evidence import NumericProfile, SliceReference
from rondo.monitor.evidence.reference import Reference
from rondo.monitor.statistics.slice_figures import FEWEST_OUTCOMES, GroupGap, SliceFigures, group_gaps, slice_figures
from rondo.monitor.windows.window_counts import WindowCounts

from tests.monitor.builders import EPOCH, PROFILE, predictions
from tests.monitor.streams import BINARY, CITIES, STREAMS, Stream, counted


def binned(reference: Reference, rows: pa.Table) -> np.ndarray:
    return reference.binning.count_groups(rows, np.zeros(rows.num_rows, np.int64), 1)[0]


def window(stream: Stream, count: int, seed: int = 3, skill: float = 1.0) -> tuple[WindowCounts, np.ndarray]:
    """Return the counts of labelled rows, and the city of each."""
    rng, reference = np.random.default_rng(seed), stream.reference
    data = stream.rows(rng, count)
    rows = predictions(data, [EPOCH] * count, [str(n) for n in range(count)])
    labelled = counted(data, stream.outcomes(rng, data, skill))
    empty = WindowCounts.empty(reference, 1).with_rows(count, binned(reference, rows))
    return empty.with_labelled(labelled, np.zeros(count, np.int64), reference.slices.codes(rows)), data["city"]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda each: each.task)
def test_slices_have_their_rows_losses_and_figures(stream: Stream) -> None:
    counts, cities = window(stream, 3_000)
    found = slice_figures(counts, stream.reference)
    assert [(each.column, each.value) for each in found] == [("city", city) for city in CITIES]
    sizes = [int((cities == city).sum()) for city in CITIES]
    assert [(each.rows, each.labelled_rows) for each in found] == [(size, size) for size in sizes]
    assert sum((each.loss or 0) * each.labelled_rows for each in found) == pytest.approx(counts.loss_sums[:, 0].sum())
    for each, known in zip(found, stream.reference.profile.slices, strict=True):
        assert each.figures.keys() == known.performance.keys()
        for name, figure in known.performance.items():
            assert each.figures[name] == pytest.approx(figure.value, abs=max(6 * (figure.error or 1) * 13**0.5, 0.1))


def test_a_removed_label_leaves_nothing() -> None:
    counts, _ = window(BINARY, 200)
    codes = np.ones(200, np.int64)
    rng = np.random.default_rng(1)
    data = BINARY.rows(rng, 200)
    labelled = counted(data, BINARY.outcomes(rng, data))
    buckets = np.zeros(200, np.int64)
    after = counts.with_labelled(labelled, buckets, codes).with_labelled(labelled, buckets, codes, removed=True)
    assert after == counts
    assert counts.with_labelled(labelled, buckets, codes) != counts


def test_two_windows_add_up_to_both() -> None:
    (one, _), (two, _) = window(BINARY, 300, 1), window(BINARY, 500, 2)
    both = slice_figures(one.plus(two), BINARY.reference)
    parts = [slice_figures(each, BINARY.reference) for each in (one, two)]
    assert [each.labelled_rows for each in both] == [
        a.labelled_rows + b.labelled_rows for a, b in zip(*parts, strict=True)
    ]


def figures(value: str, rows: int, rate: float) -> SliceFigures:
    return SliceFigures(
        column="city", value=value, rows=rows, labelled_rows=rows, loss=0.1, figures={"selection_rate": rate}
    )


def test_the_gap_is_between_the_outer_groups_with_enough_outcomes() -> None:
    enough = FEWEST_OUTCOMES
    slices = [figures("a", enough, 0.5), figures("b", enough, 0.2), figures("c", enough - 1, 0.9)]
    known = {each.value: each.performance["selection_rate"].value for each in BINARY.reference.profile.slices}
    assert group_gaps(slices, BINARY.reference) == (
        GroupGap(
            column="city", figure="selection_rate", gap=0.5 - 0.2, highest="a", lowest="b",
            reference=known["a"] - known["b"],
        ),
    )  # fmt: skip
    assert group_gaps(slices[1:], BINARY.reference) == ()


def test_a_slice_by_a_number_has_its_rows_where_the_value_has_a_bin_of_its_own() -> None:
    above = float(np.nextafter(np.float32(1), np.float32(2)))
    own = NumericProfile(edges=(0.0, 1.0, above, 3.0), counts=(0, 50, 40, 5, 5), missing=3)
    slices = tuple(SliceReference(column="x", value=each, rows=9, performance={}) for each in ("", "0", "1", "2"))
    profile = PROFILE.model_copy(update={"features": PROFILE.features | {"x": own}, "slices": slices})
    reference = Reference.of(profile)
    rows = pa.table({"feature.x": pa.array([None, 0.0, 0.5, 1.0, 1.0, 2.0], pa.float32())})
    counts = WindowCounts.empty(reference, 1).with_rows(6, binned(reference, rows))
    assert [each.rows for each in slice_figures(counts, reference)] == [1, None, 2, None]
    assert {each.labelled_rows for each in slice_figures(counts, reference)} == {0}
