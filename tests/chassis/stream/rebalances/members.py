"""A stream in a process that can be killed and frozen: `python -m tests.chassis.stream.rebalances.members`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from rondo.chassis.stream.config import StreamSettings
from rondo.chassis.stream.exactly_once import ExactlyOnceStream
from rondo.chassis.stream.group_reader import GroupReader
from rondo.contracts.kafka_connection import KafkaConnection
from rondo.contracts.topics import PREDICTIONS_FAILED

from tests.chassis.stream.copies import Copy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rondo.chassis.stream.transform import Output

    from tests.chassis.stream.copies import Topics

SESSION_SECONDS = 6.0
_STOP_SECONDS = 20.0


class Member:
    """A member of the group of `topics.name` that copies messages. It is killed at the end of `with`."""

    def __init__(self, topics: Topics, name: str, folder: Path, *arguments: str) -> None:
        self.name, self.arguments = name, arguments
        self._topics, self._log = topics, folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        places = (self._topics.bootstrap, self._topics.name, self._topics.source, self._topics.target, self.name)
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", __name__, *places, *self.arguments], stdout=output, stderr=output
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def thaw(self) -> None:
        """Let it continue after SIGSTOP, if it has not been killed since."""
        if self.is_running:
            self.signal(signal.SIGCONT)

    def stop(self) -> int:
        """Stop it gracefully, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(_STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        assert self._process is not None
        return self._process.wait(seconds)

    def log(self) -> str:
        return self._log.read_text()


class Slow(Copy):
    """Copies after some seconds, like an inference."""

    def __init__(self, target: str, seconds: float) -> None:
        super().__init__(target)
        self.seconds = seconds

    def __call__(self, messages: Sequence[Any]) -> Output:
        time.sleep(self.seconds)
        return super().__call__(messages)


async def _run(stream: ExactlyOnceStream) -> None:
    task = asyncio.create_task(stream.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])


def main() -> None:
    """Run a member until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "group", "source", "target", "name"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--die-at-revocation", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if given.die_at_revocation:
        GroupReader.on_revoke = lambda *_: os._exit(os.EX_SOFTWARE)  # type: ignore[method-assign]
    settings = StreamSettings(
        KafkaConnection(given.bootstrap), given.group, given.name, (given.source,), PREDICTIONS_FAILED,
        max_records=1_000, session_timeout=SESSION_SECONDS,
    )  # fmt: skip
    asyncio.run(_run(ExactlyOnceStream(settings, Slow(given.target, given.seconds))))


if __name__ == "__main__":
    main()
