"""The results of two versions of a rollout on the same requests: losses in pairs by cohort, and guards by minute.

Rows are paired by their request, see `pairs.py`. The outcome is that of the primary's row, which has been joined
already, because both rows belong to one request. A cohort is a closed window of the champion, so that the outcomes of
all its requests were due: early outcomes differ systematically from the others. Within a cohort the differences are
summed by short blocks, and the registry merges these to the blocks of its plan.

Minutes follow the times at which rows were made, in the order of the log. Rows that arrive later count in the open
minute.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.contracts.events.logs import OUTPUT
from rondo.contracts.events.monitoring import ComparedArms, ComparedMinute, PairedBlock, RolloutEvidence
from rondo.contracts.tasks.sketches import PREDICTED
from rondo.contracts.vocabularies import RouteRole
from rondo.monitor.alerts.findings import Announcement
from rondo.monitor.rollouts.arms import Arms, Pairs
from rondo.monitor.rollouts.arms import decoded as arms_decoded
from rondo.monitor.rollouts.losses import losses_of
from rondo.monitor.rollouts.pairs import paired
from rondo.monitor.rollouts.unpaired_predictions import UnpairedPredictions
from rondo.monitor.stream.log_messages import event_times, has_event_time
from rondo.monitor.windows.tumbling import to_time
from rondo.monitor.windows.unmatched_rows import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from rondo.monitor.costs.version_cost import VersionCost
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.stream.log_messages import Predictions

# `version` scored the row. `dated` is whether the row was sent with its event time. `share` is the share of keys that
# the version answered, null if it did not answer the row. Rows of an earlier release have none of these columns.
_OF_ROW = (("dated", pa.bool_()), ("version", pa.int64()), ("share", pa.float64()), ("row", pa.int64()))
COMPARED = pa.schema([("id", pa.string()), ("event_time", pa.int64()), *PREDICTED, *_OF_ROW])
MAX_ROWS = 1_000_000
MINUTE, HOUR = 60_000_000, 3_600_000_000
# An event has at most 1 MiB, and a block takes about 80 bytes of it.
_MOST_BLOCKS = 2_000
_SLOW = 0.99
_FEWEST_INFERENCES = 100
_COUNTS = ("primary_scored", "other_scored", "other_answers", "primary_errors", "other_errors")
_SLOW_FLAGS = ("primary_slow", "other_slow")


@dataclass
class OpenMinute:
    """The counts of the two versions since `start`, in microseconds.

    `is_published` is whether a part of them has been published. `difference` is the sum of the absolute differences of
    the predictions in `pairs` pairs.
    """

    start: int
    primary_scored: int = 0
    other_scored: int = 0
    other_answers: int = 0
    primary_errors: int = 0
    other_errors: int = 0
    primary_slow: bool = False
    other_slow: bool = False
    is_published: bool = False
    pairs: int = 0
    difference: float = 0.0


@dataclass
class ComparedVersions:
    """The version beside the champion, 0 if there is none, and its rows, a table of `COMPARED`.

    `former` was the champion before the primary, 0 if there is none. Until its windows have closed, `rows` also has the
    rows that the primary scored beside it.
    """

    primary: int = 0
    other: int = 0
    rows: pa.Table = field(default_factory=COMPARED.empty_table)
    next_row: int = 0
    minute: OpenMinute | None = None
    former: int = 0
    arms: Arms = field(default_factory=Arms)
    unpaired: UnpairedPredictions = field(default_factory=UnpairedPredictions, compare=False)
    max_rows: int = field(default=MAX_ROWS, compare=False)

    def take(self, batch: Predictions, champion: int, costs: Mapping[int, VersionCost]) -> Iterator[Announcement]:
        """Count a message of the log for the guards. Yields the evidence of a minute that has passed."""
        if batch.role == RouteRole.PRIMARY and batch.version == champion:
            self._begin(champion, self.other)
        elif batch.role in (RouteRole.CANARY, RouteRole.SHADOW) and batch.version != champion:
            self._begin(champion, batch.version)
        else:
            return
        if not self.other:
            return
        made = batch.rows.column("made_at").cast(pa.int64()).to_numpy()
        if made.size:
            start = int(made.max()) // MINUTE * MINUTE
            if self.minute is not None and start > self.minute.start:
                yield from self._close_minute(batch.model, self.minute)
                self.minute = None
            self.minute = self.minute or OpenMinute(start)
        # A version that fails on every row has no times, so it counts in the minute of the other version's rows.
        if self.minute is not None:
            self._count(self.minute, batch, costs.get(self.primary))

    def add(self, batch: Predictions, counted: Mapping[str, str]) -> int:
        """Compare the predictions of both versions, and keep the other's rows until their cohort is complete.

        `counted` is as for unmatched rows. Returns how many older rows were evicted.
        """
        is_primary = batch.role == RouteRole.PRIMARY
        mine = (self.primary,) if is_primary else (self.other, self.primary if self.former else 0)
        if not self.other + self.former or batch.version not in mine:
            return 0
        times, _ = event_times(batch.rows)
        columns: dict[str, Any] = {"id": batch.rows.column("id"), "event_time": pa.array(times)}
        for column in PREDICTED:
            source = f"{OUTPUT}{counted.get(column.name)}"
            known = source in batch.rows.column_names
            columns[column.name] = batch.rows.column(source) if known else pa.nulls(times.size, column.type)
        columns["dated"] = pa.array(has_event_time(batch.rows))
        columns["version"] = pa.array(np.full(times.size, batch.version))
        columns["share"] = pa.repeat(pa.scalar(batch.share, pa.float64()), times.size)
        columns["row"] = pa.array(np.arange(self.next_row, self.next_row + times.size))
        rows = pa.table(columns).cast(COMPARED)
        if is_primary or batch.version == self.other:
            self._take_differences(self.unpaired.take(rows, is_primary=is_primary))
        if is_primary:
            return 0
        self.next_row += times.size
        self.rows, evicted = bounded(pa.concat_tables([self.rows, rows]), self.max_rows)
        return evicted

    def close_cohort(
        self,
        model: str,
        labelled: pa.Table,
        reference: Reference,
        window: tuple[int, int],
        end: int,
        *,
        by_answer: bool = False,
    ) -> Iterator[Announcement]:
        """Yield the differences of a closed window, given by version and start, and discard its rows.

        It is a window of the primary, or of the version before it, whose outcomes may arrive after the promotion.
        `labelled` are rows of `label_join.LABELLED`, which include those of the window. With `by_answer` each version
        is compared by the requests that it answered.
        """
        version, start = window
        other = {self.former: self.primary, self.primary: self.other}.get(version, 0)
        if not other or not self.rows.num_rows:
            return
        theirs = self._pop_rows(other, start, end)
        times = labelled.column("event_time").to_numpy()
        here = (times >= start) & (times < end) & (labelled.column("version").to_numpy() == version)
        primary = labelled.filter(pa.array(here))
        places, their_places = paired(primary, theirs)
        width, found = MINUTE if end - start <= 24 * HOUR else HOUR, tuple[PairedBlock | ComparedArms, ...]()
        if by_answer:
            found = tuple(self.arms.compare(model, (primary, theirs), Pairs(places, their_places), reference, width))
        elif places.size:
            found = tuple(_blocks(primary.take(places), theirs.take(their_places), reference, width))
        yield from self._differences(model, (version, other), found, (start, end))

    def _pop_rows(self, version: int, start: int, end: int) -> pa.Table:
        """Return the rows of a version before `end`, and discard them. Also discard all rows before `start`."""
        times, versions = self.rows.column("event_time"), self.rows.column("version")
        over = pc.and_(pc.less(times, end), pc.equal(versions, version))
        found = self.rows.filter(over)
        self.rows = self.rows.filter(pc.invert(pc.or_(over, pc.less(times, start))))
        return found

    def _differences(
        self,
        model: str,
        versions: tuple[int, int],
        blocks: tuple[PairedBlock | ComparedArms, ...],
        cohort: tuple[int, int],
    ) -> Iterator[Announcement]:
        (primary, other), (start, end) = versions, cohort
        is_former = primary != self.primary
        for first in range(0, len(blocks) if is_former else max(1, len(blocks)), _MOST_BLOCKS):
            part = blocks[first : first + _MOST_BLOCKS]
            until = to_time(end) if first + _MOST_BLOCKS >= len(blocks) else part[-1].start
            event = RolloutEvidence(
                model=model,
                primary=primary,
                other=other,
                blocks=tuple(block for block in part if isinstance(block, PairedBlock)),
                arms=tuple(block for block in part if isinstance(block, ComparedArms)),
                # The cohort in which the primary changed belongs to the former pair, and completes nothing of the
                # present one.
                complete_until=None if is_former else until,
                # The verdict needs the answers up to `until`, and their minute may still be open.
                minutes=() if is_former else self._so_far(),
            )
            yield Announcement(event, f"{model}/{primary}/{other}/cohort/{start}/{first}")

    def clear(self) -> None:
        """Discard all state. Row numbers continue, because a checkpoint still has the rows before."""
        self.primary = self.other = self.former = 0
        self.arms.clear()
        self._discard()

    def _begin(self, primary: int, other: int) -> None:
        if (self.primary, self.other) != (primary, other):
            if primary != self.primary:
                # The outcomes of requests that both versions scored before a promotion may be due later.
                self.former = self.primary if primary == self.other else 0
            kept = self.rows.filter(pc.equal(self.rows.column("version"), primary)) if self.former else None
            if not self.former:
                self.arms.clear()
            self._discard()
            self.rows = self.rows if kept is None else kept
            # After a promotion the former champion may still score requests. Until it does there is no other version.
            self.primary, self.other = primary, other if other != primary else 0

    def _discard(self) -> None:
        self.rows, self.minute = self.rows.slice(0, 0), None
        self.unpaired.clear()

    def _take_differences(self, differences: NDArray[np.float64]) -> None:
        """Add differences to the open minute.

        Rows are counted after they are read, when their own minute may have passed.
        """
        if self.minute is not None:
            self.minute.pairs += differences.size
            self.minute.difference += float(differences.sum())

    def _count(self, minute: OpenMinute, batch: Predictions, usual: VersionCost | None) -> None:
        rows, failed = batch.rows.num_rows, batch.cost.failed
        limit = usual.quantile(_SLOW) if usual is not None and usual.inferences >= _FEWEST_INFERENCES else None
        is_slow = limit is not None and any(micros > limit * 1e6 for micros in batch.cost.micros)
        if batch.version == self.primary:
            minute.primary_scored += rows + failed
            minute.primary_errors += failed
            minute.primary_slow |= is_slow
        else:
            minute.other_scored += rows + failed
            minute.other_errors += failed
            minute.other_slow |= is_slow
            minute.other_answers += rows if batch.role == RouteRole.CANARY else 0

    def _so_far(self) -> tuple[ComparedMinute, ...]:
        """Return the counts of the open minute, and reset them to 0. The other figures cover the whole minute."""
        open_minute = self.minute
        if open_minute is None or not open_minute.other_scored:
            return ()
        counts = {name: getattr(open_minute, name) for name in _COUNTS}
        begun: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
        self.minute = replace(open_minute, **begun, is_published=True)
        return (ComparedMinute(start=to_time(open_minute.start), **counts),)

    def _close_minute(self, model: str, minute: OpenMinute) -> Iterator[Announcement]:
        # After a rollout the primary continues alone, so there is no other version to compare with.
        if not (minute.other_scored or minute.is_published):
            return
        known = {name: getattr(minute, name) for name in (*_COUNTS, *_SLOW_FLAGS)}
        # A sum in another order differs in the last digits, see `_blocks` below.
        known["disagreement"] = round(minute.difference / minute.pairs, 12) if minute.pairs else None
        compared = ComparedMinute(start=to_time(minute.start), **known)
        event = RolloutEvidence(model=model, primary=self.primary, other=self.other, minutes=(compared,))
        yield Announcement(event, f"{model}/{self.primary}/{self.other}/minute/{minute.start}")


def _blocks(primary: pa.Table, others: pa.Table, reference: Reference, width: int) -> Iterator[PairedBlock]:
    """Yield the mean differences of N paired rows, by blocks of `width` microseconds."""
    differences = losses_of(others, primary, reference) - losses_of(primary, primary, reference)
    known = np.isfinite(differences)
    starts, places = np.unique(primary.column("event_time").to_numpy()[known] // width, return_inverse=True)
    rows = np.bincount(places)
    sums = np.bincount(places, differences[known])
    for start, count, total in zip(starts.tolist(), rows.tolist(), sums.tolist(), strict=True):
        # A sum in another order differs in the last digits, and a repeated event must have the same bytes.
        yield PairedBlock(start=to_time(start * width), rows=count, difference=round(total / count, 12))


def encoded(state: ComparedVersions) -> dict[str, object]:
    """Return the state for a checkpoint, without the rows."""
    minute = asdict(state.minute) if state.minute else None
    versions = {"primary": state.primary, "other": state.other, "former": state.former}
    return versions | {"minute": minute, "keys": state.arms.encoded()}


def decoded(figures: Mapping[str, Any], rows: pa.Table, next_row: int) -> ComparedVersions:
    """Return the state that `encoded` has encoded, with its rows.

    Rows of an earlier release belong to the other version.
    """
    minute = OpenMinute(**figures["minute"]) if figures.get("minute") else None
    other = figures.get("other", 0)
    versions = pc.fill_null(rows.column("version"), other)
    rows = rows.set_column(rows.schema.get_field_index("version"), "version", versions)
    versions, arms = (figures.get("primary", 0), other), arms_decoded(figures.get("keys", ""))
    return ComparedVersions(*versions, rows, next_row, minute, figures.get("former", 0), arms)
