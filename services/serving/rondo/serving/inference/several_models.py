"""Scores the requests of one micro-batch to several models. Slow models are scored at the same time.

onnxruntime releases the interpreter's lock. With enough cores, a micro-batch therefore takes as long as its slowest
model. A thread costs more than the inference of a fast model, so the use of threads depends on the previous durations.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.inference.pace import Paces
from rondo.serving.inference.scored import Inference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rondo.serving.models.loaded_version import ServedModel
    from rondo.serving.requests.rows import Rows

# The least gain in seconds that justifies threads.
_WORTH_SECONDS = 0.005
_THREADS = 8


@dataclass
class SeveralModels:
    """Calls `infer` for each model. Only one caller may use it at a time."""

    infer: Callable[[ServedModel, Rows], Inference]
    paces: Paces = field(default_factory=Paces)
    _seconds: dict[str, float] = field(default_factory=dict)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_THREADS, "stream-inference"))

    def __call__(
        self, asked: Sequence[tuple[ServedModel, Rows]], seconds: float | None = None
    ) -> list[tuple[Inference, int]]:
        """Return the inference of each model, in order, with the number of its rows, which are the first ones.

        An inference has all rows, unless they take longer than `seconds`. If `infer` raises an error, it is raised
        again when all inferences have ended.
        """
        # The duration of each model's last inference, which is unknown at first.
        known = [self._seconds.get(served.model, 0.0) for served, _ in asked]
        if sum(known) - max(known, default=0.0) < _WORTH_SECONDS:
            return [self._timed(served, rows, seconds) for served, rows in asked]
        slowest = known.index(max(known))
        others: dict[int, Future[tuple[Inference, int]]] = {
            place: self._threads.submit(self._timed, *each, seconds)
            for place, each in enumerate(asked)
            if place != slowest
        }
        try:
            mine = self._timed(*asked[slowest], seconds)
        finally:
            wait(others.values())  # the caller holds the objects that they use
        return [mine if place == slowest else others[place].result() for place in range(len(asked))]

    def _timed(self, served: ServedModel, rows: Rows, seconds: float | None) -> tuple[Inference, int]:
        if not len(rows):
            return Inference([], {}), 0
        began = time.perf_counter()
        if seconds is None:
            found = self.paces.infer(self.infer, served, rows), len(rows)
        else:
            # The time counts from the model's own turn, so that a model that waits for a slow model does not count as
            # slow.
            found = self.paces.infer_until(self.infer, served, rows, began + seconds)
        self._seconds[served.model] = time.perf_counter() - began
        return found
