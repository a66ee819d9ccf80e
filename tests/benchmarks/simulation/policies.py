"""The policies of retraining that are compared with Rondo's. Each decides by the known labels."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.benchmarks.peers import environment
from tests.benchmarks.simulation.prequential import Fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.simulation.prequential import Known, Models, Policy

ADWIN_DELTA = 0.002
"""The default of river."""
GROWTH = 0.1


class Never:
    def decide(self, known: Known, models: Models) -> Fit | None:  # noqa: ARG002
        return None


@dataclass(frozen=True)
class Monthly:
    """A fit at the end of each month, of all past rows, or of the latest as many as the first model had."""

    latest: bool = False

    def decide(self, known: Known, models: Models) -> Fit | None:
        since = max(0, known.until - models.stream.first) if self.latest else 0
        return Fit(since, known.until) if known.month_ended else None


@dataclass(frozen=True)
class EveryChunks:
    """A fit of all past rows after every `chunks` chunks: the baseline for policies with alarms."""

    chunks: int

    def decide(self, known: Known, models: Models) -> Fit | None:  # noqa: ARG002
        return Fit(0, known.until) if known.chunk % self.chunks == 0 else None


@dataclass(frozen=True)
class Growing:
    """A fit of all past rows whenever the labelled rows have grown by a tenth. With `fading`, older rows weigh less."""

    fading: bool = False

    def decide(self, known: Known, models: Models) -> Fit | None:
        if known.until < known.serving.until * (1 + GROWTH):
            return None
        return Fit(0, known.until, models.stream.first / 2 if self.fading else None)


@dataclass(frozen=True)
class OnAdwin:
    """A fit whenever ADWIN sees a change in the served model's errors, of all past rows or of ADWIN's window."""

    pipe: subprocess.Popen[str]
    rows: Literal["all", "window"]

    def decide(self, known: Known, models: Models) -> Fit | None:
        assert self.pipe.stdin
        assert self.pipe.stdout
        print(json.dumps(known.errors.tolist()), file=self.pipe.stdin, flush=True)
        answer = json.loads(self.pipe.stdout.readline())
        if not answer["changes"]:
            return None
        least = 2 * int(models.stream.params["min_data_in_leaf"])
        since = max(0, known.until - max(answer["width"], least)) if self.rows == "window" else 0
        return Fit(since, known.until)


@contextmanager
def adwin(rows: Literal["all", "window"]) -> Iterator[Policy | None]:
    """Yield the policy with its own ADWIN. None if river can't be installed."""
    python = environment.DRIFT.python()
    if python is None:
        yield None
        return
    command = [python, environment.HERE / "adwin.py", str(ADWIN_DELTA)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pipe:  # noqa: S603
        try:
            yield OnAdwin(pipe, rows)
        finally:
            pipe.kill()
