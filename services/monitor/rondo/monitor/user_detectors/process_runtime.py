"""Runs users' detectors in a separate process, which lives from window to window.

The process has none of the monitor's settings and credentials, and can be killed. A detector that does not return,
exits or crashes has no figures of a window. This isolates the monitor from mistakes. It is not a sandbox.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rondo.monitor.user_detectors.block_figures import BlockFigures, counts_of, figures_of_block, in_requests
from rondo.monitor.user_detectors.user_figures import UserFigures, columns_of, is_user_class, statistics_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.contracts.events.monitoring import Statistic
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.user_detectors.block_figures import FiguresOfBlock, SampledBlock
    from rondo.monitor.windows.window_counts import WindowCounts

# The size of an answer about 1,000 columns with ten figures each.
_MOST_BYTES = 1 << 20
_PART = 1 << 16
# The time for the start of the process, and for the imports of a detector.
_START_SECONDS = 60.0
# A detector whose call fails as a whole costs the time of the call. After that its blocks are left out for as many
# times as long, so that it takes a small part of the monitor's time.
_PAUSE = 12
_ENDED = "its process ended: its output is in the monitor's log"


class _FailedError(Exception):
    """A detector has no figures of a window. The text is the reason."""


class _StoppedError(_FailedError):
    """The process of the detectors has ended, or had to be ended."""


class DetectorProcess:
    """The detectors of a folder of packages. `folder` is empty if there is none.

    A call may take `seconds`, and an import may take a minute.
    """

    def __init__(self, folder: str, seconds: float) -> None:
        self._folder, self._seconds = folder and str(Path(folder).resolve()), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: IO[bytes] | None = None
        # How long the import of each detector took, in seconds.
        self._imported = dict[str, float]()
        # Until when a detector is not called for blocks, and why.
        self._paused: dict[str, tuple[float, str]] = {}
        self._one_at_a_time = threading.Lock()

    def figures(self, detectors: Sequence[str], window: WindowCounts, reference: Reference) -> UserFigures:
        """Return the figures of a window from those of `detectors` that users wrote. Blocks for their time limit.

        Several pipelines may call it at the same time. Their calls run one after another.
        """
        with self._one_at_a_time:
            return self._figures(detectors, window, reference)

    def _figures(self, detectors: Sequence[str], window: WindowCounts, reference: Reference) -> UserFigures:
        statistics: list[Statistic] = []
        failures: list[str] = []
        for name in filter(is_user_class, detectors):
            try:
                self._prepare(name)
                columns = columns_of(window.bins, reference)
                answer = self._ask({"detector": name, "columns": columns, "seconds": self._seconds})
                statistics += statistics_of(answer["figures"])
            except _FailedError as error:
                failures.append(f"{name}: {error}")
        return UserFigures(tuple(statistics), tuple(failures))

    def block_figures(
        self, detectors: Sequence[str], blocks: Sequence[SampledBlock], reference: Reference
    ) -> BlockFigures:
        """Return the figures of blocks from these detectors. Blocks for their time limit.

        A detector that has not returned in time has no figures of the other blocks, nor of those of the next minute
        (with a limit of 5 s). An import counts like a call.
        """
        found: dict[str, tuple[FiguresOfBlock | None, ...]] = {}
        failures = dict[str, str]()
        with self._one_at_a_time:
            for name in detectors:
                found[name] = ()
                for part in in_requests(blocks, reference):
                    figures, failure = self._of_blocks(name, part, reference)
                    found[name] += figures
                    failures |= {name: failure} if failure and name not in failures else {}
        return BlockFigures(found, tuple(f"{name}: {why}" for name, why in failures.items()))

    def _of_blocks(
        self, name: str, blocks: Sequence[SampledBlock], reference: Reference
    ) -> tuple[tuple[FiguresOfBlock | None, ...], str | None]:
        """Return the figures of each block, and why a block has none."""
        nothing, (until, reason) = (None,) * len(blocks), self._paused.get(name, (0.0, ""))
        if time.monotonic() < until:
            return nothing, reason
        begin, imported = time.monotonic(), dict(self._imported)
        content = {"columns": columns_of(reference.counts, reference), "blocks": [counts_of(each) for each in blocks]}
        try:
            self._prepare(name)
            answer = self._ask({"detector": name, **content, "seconds": self._seconds})
        except _FailedError as error:
            now = time.monotonic()
            # The others must be imported again.
            again = sum(seconds for other, seconds in imported.items() if other not in self._imported)
            self._paused[name] = (now + _PAUSE * (now - begin + again), str(error))
            return nothing, str(error)
        return tuple(figures_of_block(each) for each in answer["figures"]), answer.get("error")

    def close(self) -> None:
        """End the process, and the processes that it has started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._answers):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process = self._answers = None
        self._imported = {}

    def _prepare(self, name: str) -> None:
        """Import a detector into a running process."""
        self._require(name.partition(":")[0].partition(".")[0])
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if name not in self._imported:
            begin = time.monotonic()
            self._ask({"detector": name, "columns": [], "seconds": _START_SECONDS})
            self._imported[name] = time.monotonic() - begin

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return an answer that has figures."""
        process, answers = self._running()
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            process.stdin.write(f"{json.dumps(request)}\n".encode())
            process.stdin.flush()
            answer = json.loads(_line(answers, request["seconds"], is_import=not request["columns"]))
        except (OSError, _FailedError) as error:
            self.close()
            raise _StoppedError(str(error) if isinstance(error, _FailedError) else _ENDED) from None
        if "figures" not in answer:
            raise _FailedError(answer["error"])
        found: dict[str, Any] = answer
        return found

    def _running(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        if self._process is not None and self._answers is not None and self._process.poll() is None:
            return self._process, self._answers
        self.close()
        reading, writing = os.pipe()
        # Isolated mode (-I) ignores the environment variables of Python and the working directory.
        command = [sys.executable, "-I", "-m", "rondo.monitor.user_detectors", str(writing), self._folder]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.PIPE,
                stdout=2,  # to the log, like its errors
                pass_fds=(writing,),
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._answers = os.fdopen(reading, "rb", buffering=0)
        return self._process, self._answers

    def _require(self, package: str) -> None:
        """Raise an error unless the folder has a package."""
        if not self._folder:
            raise _FailedError("RONDO_DETECTORS is not set: set it to the folder of your packages, for the monitor")
        folder = Path(self._folder)
        if not ((folder / package).is_dir() or (folder / f"{package}.py").is_file()):
            raise _FailedError(f"the folder of RONDO_DETECTORS has no package {package}: copy it there")


def _line(answers: IO[bytes], seconds: float, *, is_import: bool) -> bytes:
    until, content = time.monotonic() + seconds, b""
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        while not content.endswith(b"\n"):
            if not selector.select(max(until - time.monotonic(), 0)):
                raise _FailedError(
                    f"its import has not ended within {seconds:g} s: import only what it needs, and compute in `detect`"
                    if is_import
                    else f"it has not returned within {seconds:g} s (RONDO_DETECTOR_SECONDS)"
                )
            part = os.read(answers.fileno(), _PART)
            content += part
            if not part:
                raise _FailedError(_ENDED)
            if len(content) > _MOST_BYTES:
                raise _FailedError(f"its figures have more than {_MOST_BYTES:,} bytes: return fewer")
    return content
