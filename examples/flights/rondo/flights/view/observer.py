"""The protocol of objects that follow a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rondo.flights.view.snapshot import Snapshot


class RunObserver(Protocol):
    def step(self, text: str) -> None:
        """Receive the start, or the progress, of a step of the preparation."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Receive the state of the replay, a few times per second."""
        ...
