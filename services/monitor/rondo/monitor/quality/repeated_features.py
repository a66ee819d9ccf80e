"""A test of whether requests repeat the features of others more often than the training rows do.

A sensor that is stuck, or a cache that is not renewed, gives the same features repeatedly. Requests in the order of
their log are divided into blocks of as many rows as those of the reference. The share of repeated rows in a block is
ranked among the shares of the reference (see `evidence.block_test`). If nothing has changed, the probability of an
alarm at any time is at most the false-alarm rate. An alarm also needs a mean of the newest blocks that exceeds the
reference by a twentieth of the rows, because a smaller excess is not a fault. Each stage of `MOST_BLOCKS` blocks, and
each stage after an alarm, has half of the remaining rate.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.chassis.profiles.row_hashes import repeated_shares
from rondo.monitor.evidence.block_test import BlockTest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import RepeatedRows

MOST_BLOCKS = 1_000
NEWEST_BLOCKS = 10
LARGEST_EXCESS = 0.05
ENDING_EXCESS = LARGEST_EXCESS / 2


@dataclass(frozen=True)
class RepeatedFeaturesAlarm:
    """An alarm: the share `value` of the rows in the newest blocks is repeated.

    The change most likely began at `since`, and was found at `at`. Both are event times in microseconds. `rows` is the
    number of rows since the change.
    """

    since: int
    at: int
    value: float
    reference: float
    rows: int


def _none() -> NDArray[np.uint64]:
    return np.zeros(0, np.uint64)


@dataclass(eq=False)
class RepeatedFeatures:
    """The blocks of one `version` since its `stage` began: the `shares` of repeated rows, and the `starts`.

    `hashes` are the rows of the incomplete block, and `began` is the event time of its first row.
    """

    version: int = 0
    stage: int = 0
    shares: tuple[float, ...] = ()
    starts: tuple[int, ...] = ()
    hashes: NDArray[np.uint64] = field(default_factory=_none)
    began: int = 0
    alarm: RepeatedFeaturesAlarm | None = None
    _test: BlockTest | None = field(default=None, repr=False)

    def take(
        self, version: int, reference: RepeatedRows, hashes: NDArray[np.uint64], times: NDArray[np.int64], rate: float
    ) -> None:
        """Take rows in the order of the log, by the hashes of their features and their event times."""
        if version < self.version or not len(hashes):
            return
        if version > self.version:
            # The alarm, if there is one, is about the former version.
            self.version, self.alarm, self.stage, self.hashes = version, None, -1, _none()
            self._next_stage()
        if not len(self.hashes):
            self.began = int(times[0])
        held, size = len(self.hashes), reference.rows
        together = np.concatenate([self.hashes, hashes])
        for number, share in enumerate(repeated_shares(together, size).tolist()):
            last = int(times[(number + 1) * size - held - 1])
            self._take_block(reference, share, last, rate)
            self.began = int(times[min((number + 1) * size - held, len(times) - 1)])
        self.hashes = together[len(together) // size * size :]

    def newest(self, reference: RepeatedRows) -> tuple[float, float]:
        """Return the mean share of the newest blocks and that of the reference.

        Without a block both are that of the reference.
        """
        usual = float(np.mean(reference.shares))
        return (float(np.mean(self.shares[-NEWEST_BLOCKS:])) if self.shares else usual), usual

    def _take_block(self, reference: RepeatedRows, share: float, last: int, rate: float) -> None:
        if self.alarm is None and len(self.shares) >= MOST_BLOCKS:
            self._next_stage()
        self.shares, self.starts = (*self.shares, share), (*self.starts, self.began)
        newest, usual = self.newest(reference)
        if self.alarm is not None:
            self.shares, self.starts = self.shares[-NEWEST_BLOCKS:], self.starts[-NEWEST_BLOCKS:]
            if newest < usual + ENDING_EXCESS:
                self.alarm = None
                self._next_stage()
            return
        test = self._with_block(reference, share)
        if not test.is_look or newest < usual + LARGEST_EXCESS:
            return
        if float(test.evidence()[0]) >= -np.log(rate * 0.5 ** (self.stage + 1)):
            block = test.change_point(0).block
            rows = (test.live - block + 1) * reference.rows
            self.alarm = RepeatedFeaturesAlarm(self.starts[block - 1], last, newest, usual, rows)
            self._test = None

    def _with_block(self, reference: RepeatedRows, share: float) -> BlockTest:
        """Return the test with the last block. After a restart the test is computed again from all blocks."""
        blocks = self.shares if self._test is None else (share,)
        seed = f"{self.version}/repeated/{self.stage}"
        reference_shares, by_rank = np.array([reference.shares]), np.zeros(1, np.bool_)
        before = self._test or BlockTest.of(seed, reference_shares, by_rank, one_sided=True)
        self._test = before.with_blocks(np.array([blocks]))
        return self._test

    def _next_stage(self) -> None:
        self.stage, self.shares, self.starts, self._test = self.stage + 1, (), (), None

    def snapshot(self) -> RepeatedFeatures:
        return replace(self)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, RepeatedFeatures) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.version, self.stage))

    def _values(self) -> tuple[object, ...]:
        return (
            self.version, self.stage, self.shares, self.starts, self.hashes.tobytes(), self.began, self.alarm
        )  # fmt: skip
