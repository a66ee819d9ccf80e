"""What two versions of a rollout did with the same requests: losses in pairs by cohort, and guards by minute.

Rows are paired by their request, see `pairs.py`. The outcome is that of the primary's row, which has been joined
already: the two rows are of one request. A cohort is a window of the champion that has closed, so that the outcomes of
all of its requests were due: outcomes that come early are not like the others. Within it differences are summed by
short blocks, which the registry puts together to those of its plan.

Minutes pass by when the rows were made, in the order of the log. Rows that come later count in the minute that is open.
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

# `version` scored the row, and `dated` is whether it was sent with its event time. `share` is the part of the keys that
# it answered, null where it did not answer the row. An earlier release stored none of these.
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
    """What the two versions did since `start`, in microseconds. `is_published` is whether a part of it has been.

    `difference` is the sum of the absolute differences of the predictions of so many `pairs`.
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
    """The version beside the champion, 0 without one, and its rows, a table of `COMPARED`.

    `former` was the champion until the primary took its place, 0 without one. Until its windows have closed, `rows` has
    those that the primary scored beside it.
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
        # A version that fails on every row has no time of its own: it counts in the minute of the other's rows.
        if self.minute is not None:
            self._count(self.minute, batch, costs.get(self.primary))

    def add(self, batch: Predictions, counted: Mapping[str, str]) -> int:
        """Compare the predictions of rows of the two versions, and keep the other's until their cohort is complete.

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

        It is one of the primary, or of the version that was before it: its outcomes may come after the promotion.
        `labelled` are rows of `label_join.LABELLED`, among them those of the window. With `by_answer` each version is
        compared by the requests that it answered.
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
        """Return the rows of a version before `end`, and discard them, and those of all before `start`."""
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
                # The window in which the primary changed goes on with the present pair.
                complete_until=None if is_former else until,
                # A verdict is to have the answers until then, and its minute may not have passed.
                minutes=() if is_former else self._so_far(),
            )
            yield Announcement(event, f"{model}/{primary}/{other}/cohort/{start}/{first}")

    def clear(self) -> None:
        """Discard everything. Row numbers continue: a checkpoint still has the rows before."""
        self.primary = self.other = self.former = 0
        self.arms.clear()
        self._discard()

    def _begin(self, primary: int, other: int) -> None:
        if (self.primary, self.other) != (primary, other):
            if primary != self.primary:
                # The outcomes of what the two versions scored before a promotion may be due later.
                self.former = self.primary if primary == self.other else 0
            kept = self.rows.filter(pc.equal(self.rows.column("version"), primary)) if self.former else None
            if not self.former:
                self.arms.clear()
            self._discard()
            self.rows = self.rows if kept is None else kept
            # After a promotion the version before may score along; until it does there is nothing to compare with.
            self.primary, self.other = primary, other if other != primary else 0

    def _discard(self) -> None:
        self.rows, self.minute = self.rows.slice(0, 0), None
        self.unpaired.clear()

    def _take_differences(self, differences: NDArray[np.float64]) -> None:
        """Count them in the open minute: rows are counted after they are read, when theirs may have passed."""
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
        """Return the counts of the open minute, which go on from 0. The other figures are those of the whole minute."""
        open_minute = self.minute
        if open_minute is None or not open_minute.other_scored:
            return ()
        counts = {name: getattr(open_minute, name) for name in _COUNTS}
        begun: dict[str, Any] = dict.fromkeys(_COUNTS, 0)
        self.minute = replace(open_minute, **begun, is_published=True)
        return (ComparedMinute(start=to_time(open_minute.start), **counts),)

    def _close_minute(self, model: str, minute: OpenMinute) -> Iterator[Announcement]:
        # After a rollout the primary goes on alone: there is nothing to compare with.
        if not (minute.other_scored or minute.is_published):
            return
        known = {name: getattr(minute, name) for name in (*_COUNTS, *_SLOW_FLAGS)}
        # Summed in another order the last digits differ, see `_blocks` below.
        known["disagreement"] = round(minute.difference / minute.pairs, 12) if minute.pairs else None
        compared = ComparedMinute(start=to_time(minute.start), **known)
        event = RolloutEvidence(model=model, primary=self.primary, other=self.other, minutes=(compared,))
        yield Announcement(event, f"{model}/{self.primary}/{self.other}/minute/{minute.start}")


def _blocks(primary: pa.Table, others: pa.Table, reference: Reference, width: int) -> Iterator[PairedBlock]:
    """Yield the mean differences of N rows that are in pairs, by blocks of `width` microseconds."""
    differences = losses_of(others, primary, reference) - losses_of(primary, primary, reference)
    known = np.isfinite(differences)
    starts, places = np.unique(primary.column("event_time").to_numpy()[known] // width, return_inverse=True)
    rows = np.bincount(places)
    sums = np.bincount(places, differences[known])
    for start, count, total in zip(starts.tolist(), rows.tolist(), sums.tolist(), strict=True):
        # Summed in another order the last digits differ, and the event is to be the same bytes.
        yield PairedBlock(start=to_time(start * width), rows=count, difference=round(total / count, 12))


def encoded(state: ComparedVersions) -> dict[str, object]:
    """Return what a checkpoint has beside the rows."""
    minute = asdict(state.minute) if state.minute else None
    versions = {"primary": state.primary, "other": state.other, "former": state.former}
    return versions | {"minute": minute, "keys": state.arms.encoded()}


def decoded(figures: Mapping[str, Any], rows: pa.Table, next_row: int) -> ComparedVersions:
    """Return what `encoded` wrote, with its rows. Those of an earlier release are of the other version."""
    minute = OpenMinute(**figures["minute"]) if figures.get("minute") else None
    other = figures.get("other", 0)
    versions = pc.fill_null(rows.column("version"), other)
    rows = rows.set_column(rows.schema.get_field_index("version"), "version", versions)
    versions, arms = (figures.get("primary", 0), other), arms_decoded(figures.get("keys", ""))
    return ComparedVersions(*versions, rows, next_row, minute, figures.get("former", 0), arms)
