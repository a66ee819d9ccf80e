"""Finds the earlier answers of repeated requests, in the same partition and within the window of the model.

Answers are kept by model and id. They are added before their micro-batch is committed, because the next micro-batch is
only committed if this one was. All kept answers are dropped after an abort, and those of a partition if it may have had
another owner. Committed answers are then read back from the topic of answers before the next lookup. The time of an
answer is its `made_at`, which a repeated answer repeats, so answers that are read back expire at the same time as kept
ones.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rondo.serving import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    # By model and id: the time of an answer in seconds since the epoch, and its bytes.
    Kept = OrderedDict[tuple[str, str], tuple[float, bytes]]


# The largest number of concurrent reads, including cancelled ones, which may last until a transaction ends.
_THREADS = 32


@dataclass(frozen=True, slots=True)
class CommittedAnswer:
    """An answer that was read back: its partition and its bytes. `made_at` is in seconds since the epoch."""

    partition: int
    model: str
    id: str
    made_at: float
    answer: bytes


class CommittedAnswers(Protocol):
    """Reads answers back. Several threads may use it, each for another partition."""

    def since(self, partitions: Collection[int], time: float, most: int, /) -> Iterator[CommittedAnswer]:
        """Yield at least the last `most` answers of each partition since `time`, in order.

        The iterator ends when all records are read whose transactions had begun to be written at the call.

        Raises:
            UnavailableError: Kafka does not answer, a transaction does not end, or the service stops.

        """
        ...


@dataclass(slots=True)
class Found:
    """The rows of a micro-batch's requests to one model.

    `new` are the rows to score, and `answers` has the answers of repeated requests by row. `shared` has the rows of
    each id with several requests, in order, each with the new row of the same content. The first of them that can be
    answered answers the following ones.
    """

    new: list[int] = field(default_factory=list)
    answers: dict[int, bytes] = field(default_factory=dict)
    shared: list[list[tuple[int, int]]] = field(default_factory=list)


@dataclass
class _Partition:
    """The answers of one partition, the oldest first, and by model the window for which they are complete."""

    kept: Kept = field(default_factory=OrderedDict)
    complete: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """A read of the answers of one partition, with the windows of the models at its start."""

    windows: Mapping[str, float]
    answers: Future[_Partition]


class RepeatedRequests:
    """The answers of the partitions that this replica reads. At most `capacity` answers of each are kept.

    Each partition is read back in a thread, so that an open transaction of a crashed replica only delays one partition.
    Only `forget` may be called from another thread than the one that reads.
    """

    def __init__(self, committed: CommittedAnswers, capacity: int, now: Callable[[], datetime]) -> None:
        self._committed = committed
        self._capacity = capacity
        self._now = now
        self._partitions: dict[int, _Partition] = {}
        self._readings: dict[int, _Reading] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "read-back")
        self._windows: Mapping[str, float] = {}
        self._stale = False
        # Partitions that have left. Another thread may add some.
        self._left: list[Collection[int]] = []

    def forget(self, partitions: Collection[int] | None = None) -> None:
        """Read the answers of partitions back before the next request, because they may have had another owner.

        With None read all of them back, because a micro-batch was aborted.
        """
        if partitions is None:
            self._stale = True
        else:
            self._left.append(partitions)

    @property
    def windows(self) -> Mapping[str, float]:
        """The windows that were set last, in seconds."""
        return self._windows

    @property
    def left(self) -> bool:
        """True if partitions have left whose answers the next `follow` drops."""
        return bool(self._left) and bool(self._partitions or self._readings)

    def follow(self, windows: Mapping[str, float]) -> None:
        """Set the current windows in seconds.

        Every micro-batch must call this first, even if none of its models has a window. A shorter window drops answers,
        and without a window none are kept. A longer window later reads them back. So all earlier answers to a model
        that gets a window must be committed before the call. The same holds if partitions `left`, because one partition
        of answers may belong to several partitions of requests, of which some stay.
        """
        while self._left:
            for each in self._left.pop():
                self._partitions.pop(each, None)
                self._readings.pop(each, None)
        if windows == self._windows:
            return
        self._windows = windows
        for partition in self._partitions.values():
            partition.complete = {
                model: min(seconds, windows[model]) for model, seconds in partition.complete.items() if model in windows
            }

    def find(
        self,
        model: str,
        windows: Mapping[str, float],
        ids: Sequence[str],
        partitions: Sequence[int],
        contents: Sequence[bytes | None],
    ) -> Found:
        """Find the repeated requests among N requests to a model. `partitions` are the partitions of their answers.

        `windows` has the window in seconds of each model with a window, and `contents` the bytes of each request. The
        method waits for pending partitions.

        Raises:
            UnavailableError: Kafka does not return the committed answers.

        """
        self._await(model, windows, set(partitions))
        after = self._now().timestamp() - windows[model]
        found, requests = Found(), dict[tuple[int, str], dict[bytes | None, int]]()
        several: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for row, (partition, each) in enumerate(zip(partitions, ids, strict=True)):
            kept = self._partitions[partition].kept.get((model, each))
            if kept is not None and kept[0] >= after:
                found.answers[row] = kept[1]
                continue
            if (before := requests.get((partition, each))) is None:
                requests[partition, each] = {contents[row]: row}
                found.new.append(row)
                continue
            if (same := before.setdefault(contents[row], row)) == row:
                found.new.append(row)
            first = next(iter(before.values()))
            several.setdefault((partition, each), [(first, first)]).append((row, same))
        found.shared = list(several.values())
        return found

    def keep(
        self,
        model: str,
        windows: Mapping[str, float],
        ids: Sequence[str],
        partitions: Sequence[int],
        answers: Sequence[bytes],
        made_at: datetime,
    ) -> None:
        """Keep N answers of one model that were made at the same time."""
        at = made_at.timestamp()
        for each, partition, answer in zip(ids, partitions, answers, strict=True):
            if (known := self._partitions.get(partition)) is None:
                continue  # `forget` was called after the lookup, so the result of this micro-batch is dropped
            # an answer whose window has ended, because the new answer belongs at the end
            known.kept.pop((model, each), None)
            known.kept[model, each] = at, answer
        for partition in self._partitions.keys() & partitions:
            self._drop(self._partitions[partition].kept, windows, at)

    def discard(self, model: str, ids: Sequence[str], partitions: Sequence[int]) -> None:
        """Drop N kept answers that are not written."""
        for each, partition in zip(ids, partitions, strict=True):
            if (known := self._partitions.get(partition)) is not None:
                known.kept.pop((model, each), None)

    def pending(
        self, model: str, windows: Mapping[str, float], partitions: Collection[int], seconds: float
    ) -> set[int]:
        """Return the partitions of answers that are not yet read back for a model.

        Start to read new partitions, and wait for them for at most `seconds`.

        Raises:
            UnavailableError: Kafka does not return the committed answers.

        """
        now = self._now().timestamp()
        begun = self._begin(self._missing(model, windows, partitions), model, windows, now)
        if begun and seconds > 0:
            wait([self._readings[each].answers for each in begun], seconds)
        self._take_over(windows, now)
        return self._missing(model, windows, partitions)

    def close(self) -> None:
        """End the threads. Call this when no read can be active any more."""
        self._threads.shutdown()

    def _missing(self, model: str, windows: Mapping[str, float], partitions: Collection[int]) -> set[int]:
        if self._stale:
            # A later abort belongs to the previous micro-batch. It drops the results of this one, too.
            self._stale = False
            self._partitions.clear()
            self._readings.clear()
        return {
            partition
            for partition in partitions
            if (known := self._partitions.get(partition)) is None or known.complete.get(model, 0.0) < windows[model]
        }

    def _begin(self, missing: Collection[int], model: str, windows: Mapping[str, float], now: float) -> list[int]:
        """Start to read partitions that are not being read for a window of this length, and return them."""
        begun = [
            each for each in missing
            if (reading := self._readings.get(each)) is None or reading.windows.get(model, 0.0) < windows[model]
        ]  # fmt: skip
        for each in begun:
            answers = self._threads.submit(self._read, each, dict(windows), now)
            self._readings[each] = _Reading(dict(windows), answers)
        return begun

    def _read(self, partition: int, windows: Mapping[str, float], now: float) -> _Partition:
        found = _Partition(complete=dict(windows))
        for each in self._committed.since({partition}, now - max(windows.values()), self._capacity):
            # The first answer wins. A later one is a repeat, or was made before the model had a window.
            if each.made_at >= now - windows.get(each.model, 0.0):
                found.kept.setdefault((each.model, each.id), (each.made_at, each.answer))
            if len(found.kept) > self._capacity:
                self._drop(found.kept, windows, now)
        return found

    def _take_over(self, windows: Mapping[str, float], now: float) -> None:
        """Add the answers that have been read back."""
        for partition in [each for each, reading in self._readings.items() if reading.answers.done()]:
            mine = self._readings.pop(partition).answers.result()
            # The windows may have changed in the meantime.
            mine.complete = {
                model: min(seconds, windows[model]) for model, seconds in mine.complete.items() if model in windows
            }
            if partition in self._partitions:
                for key, value in self._partitions[partition].kept.items():
                    mine.kept.setdefault(key, value)
            self._drop(mine.kept, windows, now)
            self._partitions[partition] = mine

    def _await(self, model: str, windows: Mapping[str, float], partitions: Collection[int]) -> None:
        while missing := self.pending(model, windows, partitions, 0):
            wait([self._readings[each].answers for each in missing if each in self._readings])

    def _drop(self, kept: Kept, windows: Mapping[str, float], now: float) -> None:
        """Drop the oldest answers: those outside of all windows, and those beyond the capacity."""
        longest = max(windows.values())
        while kept:
            (model, _), (made_at, _) = next(iter(kept.items()))
            if len(kept) <= self._capacity and made_at >= now - longest:
                return
            if made_at >= now - windows.get(model, 0.0):
                metrics.ANSWERS_FORGOTTEN.labels(model).inc()
            kept.popitem(last=False)
