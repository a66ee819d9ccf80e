"""What a detector is: one statistic of a closed window, compared with the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.events.monitoring import Statistic
    from rondo.contracts.spec.model import Monitor
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.windows.window_counts import WindowCounts

FindingKind = Literal["drift", "performance", "quality"]
FINDING_KINDS: tuple[FindingKind, ...] = ("drift", "performance", "quality")


@dataclass(frozen=True)
class DetectorResult:
    """A statistic, and whether it exceeds its threshold; None where it is for information only."""

    statistic: Statistic
    exceeded: bool | None = None


class Detector(Protocol):
    """Computes one statistic. A new one is a file with a class, and a line in `registry`."""

    @property
    def kind(self) -> FindingKind:
        """The kind of finding that its results belong to."""
        ...

    def tests(self, reference: Reference) -> int:
        """Return how many hypotheses it tests on a window; 0 if its results are for information only.

        The false-alarm rate of a kind is divided by the tests of all its detectors.
        """
        ...

    def evaluate(
        self, window: WindowCounts, reference: Reference, rule: Monitor, tail: float
    ) -> Iterator[DetectorResult]:
        """Yield the results on a window. `tail` bounds the probability that one exceeds without any change."""
        ...
