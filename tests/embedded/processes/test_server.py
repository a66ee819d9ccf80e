"""The wait for a server's start."""

import sys
from pathlib import Path

import pytest
from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.server import Server, StartLimit

WRITES = "import time\nfor i in range({lines}): print(i, flush=True); time.sleep(0.1)\ntime.sleep(60)"


class Slow(Server):
    """Ready once its log has as many lines."""

    name = "slow"
    inactive_seconds = 1.0

    def __init__(self, folder: Path, lines: int, needed: int) -> None:
        self.needed = needed
        command = [sys.executable, "-c", WRITES.format(lines=lines)]
        self.process = Process(command=command, log=folder / "slow.log")

    def prepare(self) -> None:
        """Nothing to prepare."""

    async def answers(self) -> bool:
        return len(self.process.log.read_text().splitlines()) >= self.needed


def test_a_server_that_still_logs_is_waited_for() -> None:
    limit = StartLimit(inactive=60, total=600, started=0)
    assert [limit.exceeded(output, output * 50) for output in range(12)] == [None] * 12
    assert str(limit.exceeded(12, 600)).startswith("no answer within 600 s")


def test_a_server_that_logs_nothing_is_given_up_after_the_inactive_seconds() -> None:
    limit = StartLimit(inactive=60, total=600, started=0)
    assert [limit.exceeded(7, now) for now in (1, 60)] == [None, None]
    assert " 60 s" in str(limit.exceeded(7, 61))


@pytest.mark.slow
async def test_a_slow_start_succeeds_while_the_log_grows(tmp_path: Path) -> None:
    async with Slow(tmp_path, lines=20, needed=15) as server:
        assert server.process.is_running


async def test_a_start_that_hangs_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError) as caught:
        async with Slow(tmp_path, lines=2, needed=15):
            pass
    assert caught.value.last_line == "1"
    assert "or stop other programs if the machine is busy; then run the command again" in str(caught.value)
