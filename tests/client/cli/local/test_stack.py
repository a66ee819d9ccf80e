"""Ending a stack from outside, and the killing of services during the demo."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rondo.client.cli.local.demo import KillEach

# A shell starts its background jobs with SIGINT ignored.
BACKGROUND_JOB = """
import asyncio, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from rondo.client.cli.local import stack
from rondo.embedded.processes.signals import sigterm_as_ctrl_c

async def main():
    with sigterm_as_ctrl_c():
        print("ready", flush=True)
        await asyncio.Event().wait()

try:
    stack.run(main())
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@pytest.mark.slow
def test_sigterm_ends_a_stack_that_a_shell_started_in_the_background() -> None:
    with subprocess.Popen([sys.executable, "-c", BACKGROUND_JOB], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        try:
            assert process.communicate(timeout=30)[0] == "stopped\n"
        finally:
            process.kill()


def test_each_service_is_killed_once_spread_over_the_replay() -> None:
    killed: list[str] = []
    running: Any = SimpleNamespace(services=dict.fromkeys("abc"), kill=killed.append)
    kill_each = KillEach(running)
    seen = []
    for percent in range(0, 101, 5):
        kill_each(percent / 100)
        seen.append(len(killed))
    assert killed == ["a", "b", "c"]
    assert (seen[0], seen[4], seen[5], seen[10], seen[15]) == (0, 0, 1, 2, 3)


def test_a_late_look_kills_what_was_due() -> None:
    killed: list[str] = []
    running: Any = SimpleNamespace(services=dict.fromkeys("abc"), kill=killed.append)
    KillEach(running)(1.0)
    assert killed == ["a", "b", "c"]
