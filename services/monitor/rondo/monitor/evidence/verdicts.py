"""Verdicts on what can be judged of a version. Where it can't be judged yet, they state how many rows are missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from rondo.monitor.evidence.block_figures.figure_tests import BLOCKS_OF_REFERENCE
from rondo.monitor.evidence.block_length import FEWEST_BLOCKS, SHORTEST
from rondo.monitor.evidence.component_sums import DETECTORS, EVERY_GROUP, GAPS, SLICES
from rondo.monitor.evidence.component_tests.watched import Taken
from rondo.monitor.evidence.staged_test import MOST_LIVE_BLOCKS, StagedTest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rondo.monitor.evidence.component_sums import Group
    from rondo.monitor.evidence.component_tests.watched import Watched
    from rondo.monitor.evidence.stretches import Learning
    from rondo.monitor.evidence.version_evidence import VersionEvidence

_BASE_10 = math.log(10)
_MOST_EXTENSIONS = 20
_LONGEST_WAIT_SECONDS = 2 * 365 * 86_400
# Rows arrive in office hours, or in daily or weekly batches, so the rate over a shorter time has no meaning.
_SHORTEST_WAIT = 7 * 86_400_000_000


@dataclass(frozen=True)
class Verdict:
    """A statement of whether a column of a group can be judged.

    `column` is None for the loss, and `value` is that of the component. `taken` describes the live rows of the group,
    the slice or the figure. `rows` of about `needed` live rows have been taken, including those that have extended
    the reference. A block has `block` rows. `extending` is true if the reference is too short, and live rows extend it.
    `out_of_reach` is true if it is so much too short that waiting does not help. `evidence` is the largest of the
    column's components. It and the `threshold` are logarithms.
    """

    group: Group
    column: str | None
    rows: int
    needed: int
    block: int
    evidence: float
    threshold: float
    extending: bool
    taken: Taken
    out_of_reach: bool = False
    value: str | None = None

    @property
    def judged(self) -> bool:
        """True if there are enough rows for a change to be evident."""
        return self.rows >= self.needed

    @property
    def missing(self) -> int:
        return max(0, self.needed - self.rows)


def decimal(logarithm: float) -> float:
    """Return the decimal logarithm of the number whose natural logarithm is given."""
    return logarithm / _BASE_10


def verdicts(
    evidence: VersionEvidence, false_alarm_rate: float, groups: Sequence[Group] = EVERY_GROUP
) -> tuple[Verdict, ...]:
    """Return the verdict on each column of each of the groups."""
    found, mine = list[Verdict](), [each for each in evidence.watched if each.group in groups]
    thresholds = evidence.thresholds(false_alarm_rate, groups)
    for watched in mine:
        threshold, taken = thresholds[watched.family], evidence.taken.get(watched.rows_of, Taken())
        if isinstance(watched.state, StagedTest):
            found += _of_test(watched, watched.state, threshold, taken)
            continue
        for column in watched.places:
            found.append(_of_learning(watched, column, watched.state, threshold, taken))
    return tuple(found)


def note_judged(evidence: VersionEvidence, false_alarm_rate: float, groups: Sequence[Group], end: int) -> None:
    """Record which groups can be judged since `end`, and when the others are due.

    `end` is the end of a window or step, in microseconds. A group is not judged while one of its columns lacks rows,
    even if it was judged before. Columns that are out of reach are ignored. A group is due after twice the expected
    time, by the rows of a week, and a week after the first row at the earliest. No alert is about slices, so slices are
    ignored.
    """
    found = verdicts(evidence, false_alarm_rate, groups)
    for group in groups:
        mine = [each for each in found if each.group == group and (each.judged or not each.out_of_reach)]
        if mine and all(each.judged for each in mine):
            evidence.judged_since.setdefault(group, end)
            evidence.due.pop(group, None)
            continue
        evidence.judged_since.pop(group, None)
        if group != SLICES:
            _note_due(evidence, group, mine, end)


def _note_due(evidence: VersionEvidence, group: Group, waiting: Sequence[Verdict], end: int) -> None:
    """Record when a group is due. Once a week of rows has given a date, the date never becomes later.

    The first step may be slow, so a rate over less than a week fixes no date. A date that has passed stays.
    """
    due = []
    for missing, taken in ((each.missing, each.taken) for each in waiting):
        if (at := expected_at(missing, taken.rows, taken.first, taken.last)) is not None:
            due.append(max(2 * at - taken.first, taken.first + _SHORTEST_WAIT))
    if not due:
        return
    found, before, taken = max(end, *due), evidence.due.get(group, 0), waiting[0].taken
    week = taken.first + _SHORTEST_WAIT
    if before > week and (taken.last >= week or end > before):
        found = min(found, before)
    evidence.due[group] = found


@lru_cache(maxsize=1_024)
def fewest_blocks(reference: int, threshold: float) -> int:
    """Return the fewest live blocks whose ranks can bring the evidence to a threshold, a logarithm.

    Among the orders of m blocks of a reference and j live ones, one in (m + j)! / (m! j!) has all live ones last.
    """
    live = np.arange(1, MOST_LIVE_BLOCKS)
    possible = gammaln(reference + live + 1) - gammaln(reference + 1) - gammaln(live + 1)
    enough = np.flatnonzero(possible >= threshold)
    return int(live[enough[0]]) if len(enough) else MOST_LIVE_BLOCKS


def expected_at(missing: int, rows: int, first: int, last: int) -> int | None:
    """Return when `missing` rows are expected, in microseconds, at the rate of `rows` rows from `first` to `last`.

    None if there are no rows, or if all have the same time.
    """
    return last + round(missing * (last - first) / rows) if rows > 0 and last > first else None


def _of_test(watched: Watched, test: StagedTest, threshold: float, taken: Taken) -> Iterator[Verdict]:
    """Yield the verdict on each column of a test. The columns share its blocks."""
    before = taken.rows - sum(test.counts) - test.open.rows
    reference = test.test.reference
    if watched.group in {DETECTORS, GAPS} and not test.test.live:
        # The first figures become the reference.
        before, reference = taken.rows + (BLOCKS_OF_REFERENCE - reference) * test.block, BLOCKS_OF_REFERENCE
    # A stage has its share of the false-alarm rate. A stage that began after 1,000 blocks has half of them from the
    # start.
    blocks = fewest_blocks(reference, threshold + test.share)
    needed = before + sum(test.counts[:blocks]) + max(0, blocks - test.test.live) * test.block
    largest = np.maximum.reduceat(test.evidence, [places[0] for places in watched.places.values()]).tolist()
    for column, evidence in zip(watched.places, largest, strict=True):
        yield Verdict(
            watched.group, column, taken.rows, needed, test.block, evidence, threshold, extending=False, taken=taken,
            value=watched.components[0].value,
        )  # fmt: skip


def _of_learning(watched: Watched, column: str | None, learning: Learning, threshold: float, taken: Taken) -> Verdict:
    missing = max(learning.needed - learning.stretches.total, learning.stretches.rows)
    needed = learning.live + missing + fewest_blocks(FEWEST_BLOCKS, threshold + learning.share) * learning.block
    evidence = float(learning.evidence[watched.places[column]].max())
    return Verdict(
        watched.group, column, learning.live, needed, learning.block, evidence, threshold, extending=True,
        taken=taken, out_of_reach=_is_out_of_reach(learning, needed - learning.live, taken),
        value=watched.components[0].value,
    )  # fmt: skip


def _is_out_of_reach(learning: Learning, missing: int, taken: Taken) -> bool:
    """Return whether the missing rows are too many to wait for.

    An autocorrelation time that was estimated from far fewer rows is only a sign of a cycle or trend that the reference
    does not cover completely. A number of rows or a date computed from it would have no meaning.
    """
    if learning.block <= SHORTEST:
        return False
    at = expected_at(missing, taken.rows, taken.first, taken.last)
    is_late = at is not None and at - taken.last > _LONGEST_WAIT_SECONDS * 1_000_000
    return is_late or missing > _MOST_EXTENSIONS * learning.stretches.total
