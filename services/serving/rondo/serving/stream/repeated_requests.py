"""Finds the answers that repeated requests get again: those of their partition within their model's window.

They are known by model and id. Answers enter while their micro-batch is made: the next one is committed only if it was.
After an abort, and after a partition may have had another owner, nothing is known any more, and what is committed is
read back from the topic of the answers before the next request is looked up. The time of an answer is its `made_at`,
which it repeats, so what is read back lasts as long as what was kept.
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

    # By model and id: when an answer was made, in seconds since the epoch, and its bytes.
    Kept = OrderedDict[tuple[str, str], tuple[float, bytes]]


# Reads at the same time, at most: also of those that were given up, which may last until a transaction ends.
_THREADS = 32


@dataclass(frozen=True, slots=True)
class CommittedAnswer:
    """An answer that was read back: from which partition, and its bytes. `made_at` is in seconds since the epoch."""

    partition: int
    model: str
    id: str
    made_at: float
    answer: bytes


class CommittedAnswers(Protocol):
    """Reads answers back. Several threads may, each another partition."""

    def since(self, partitions: Collection[int], time: float, most: int, /) -> Iterator[CommittedAnswer]:
        """Yield at least the last `most` answers that each of these partitions has from `time` on, in order.

        It ends once all is read of which any transaction had begun to be written when this was called.

        Raises:
            UnavailableError: Kafka does not answer, a transaction does not end, or the service stops.

        """
        ...


@dataclass(slots=True)
class Found:
    """The rows of a micro-batch's requests to one model.

    `new` are to be scored, and `answers` has what the repeated ones get by row. `shared` has the requests of each id
    that has several of them, in order: their rows, each with the new row of the same content. The first one that can
    be answered answers those after it.
    """

    new: list[int] = field(default_factory=list)
    answers: dict[int, bytes] = field(default_factory=dict)
    shared: list[list[tuple[int, int]]] = field(default_factory=list)


@dataclass
class _Partition:
    """The answers of one partition, oldest first, and the window of each model for which they are complete."""

    kept: Kept = field(default_factory=OrderedDict)
    complete: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """A read of the answers of one partition, for the windows that the models then had."""

    windows: Mapping[str, float]
    answers: Future[_Partition]


class RepeatedRequests:
    """The answers of the partitions that this replica reads; at most `capacity` are kept of each.

    Each partition is read back on a thread: where the transaction of a replica that died is awaited in one, the others
    are known. Of the methods only `forget` may be called on another thread than the one that reads.
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

    def forget(self) -> None:
        """Read the answers back before the next request: a micro-batch was aborted, or partitions may have moved."""
        self._stale = True

    def follow(self, windows: Mapping[str, float]) -> None:
        """Take the windows in seconds that hold from now on. Every micro-batch has to, also one without such a model.

        A shorter window drops answers, and without one none are kept: a longer one later has to read them back.
        """
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
        """Return which of N requests to a model are repeated. `partitions` are those of their answers.

        `windows` has the window in seconds of each model that has one, `contents` the bytes of each request. Waits for
        partitions that are pending.

        Raises:
            UnavailableError: Kafka does not return the answers that are committed.

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
                continue  # forgotten since these were looked up: what is made of them is dropped
            known.kept.pop((model, each), None)  # one whose window has ended. The new one belongs at the end
            known.kept[model, each] = at, answer
        for partition in self._partitions.keys() & partitions:
            self._drop(self._partitions[partition].kept, windows, at)

    def discard(self, model: str, ids: Sequence[str], partitions: Sequence[int]) -> None:
        """Drop what was kept of N answers that are not written."""
        for each, partition in zip(ids, partitions, strict=True):
            if (known := self._partitions.get(partition)) is not None:
                known.kept.pop((model, each), None)

    def pending(
        self, model: str, windows: Mapping[str, float], partitions: Collection[int], seconds: float
    ) -> set[int]:
        """Return those of the partitions of answers that are not read back yet for a model.

        Begins to read those that are new, and waits for them for `seconds` at most.

        Raises:
            UnavailableError: Kafka does not return the answers that are committed.

        """
        now = self._now().timestamp()
        begun = self._begin(self._missing(model, windows, partitions), model, windows, now)
        if begun and seconds > 0:
            wait([self._readings[each].answers for each in begun], seconds)
        self._take_over(windows, now)
        return self._missing(model, windows, partitions)

    def close(self) -> None:
        """End, once no read can be under way any more."""
        self._threads.shutdown()

    def _missing(self, model: str, windows: Mapping[str, float], partitions: Collection[int]) -> set[int]:
        if self._stale:
            # An abort that comes later is of the micro-batch before: it drops what this one becomes, too.
            self._stale = False
            self._partitions.clear()
            self._readings.clear()
        return {
            partition
            for partition in partitions
            if (known := self._partitions.get(partition)) is None or known.complete.get(model, 0.0) < windows[model]
        }

    def _begin(self, missing: Collection[int], model: str, windows: Mapping[str, float], now: float) -> list[int]:
        """Read partitions that are not being read for a window as long. Return them."""
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
            # The first one wins: a later one is a repeat, or was made before the model had a window.
            if each.made_at >= now - windows.get(each.model, 0.0):
                found.kept.setdefault((each.model, each.id), (each.made_at, each.answer))
            if len(found.kept) > self._capacity:
                self._drop(found.kept, windows, now)
        return found

    def _take_over(self, windows: Mapping[str, float], now: float) -> None:
        """Know what has been read back by now."""
        for partition in [each for each, reading in self._readings.items() if reading.answers.done()]:
            mine = self._readings.pop(partition).answers.result()
            # Windows may have changed meanwhile.
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
        """Drop the oldest answers: those that no window reaches, and what is beyond the capacity."""
        longest = max(windows.values())
        while kept:
            (model, _), (made_at, _) = next(iter(kept.items()))
            if len(kept) <= self._capacity and made_at >= now - longest:
                return
            if made_at >= now - windows.get(model, 0.0):
                metrics.ANSWERS_FORGOTTEN.labels(model).inc()
            kept.popitem(last=False)
