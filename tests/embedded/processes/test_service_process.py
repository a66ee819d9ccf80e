"""A service is restarted when it dies, and reported when it can't start."""

import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from rondo.embedded.errors import NotReadyError
from rondo.embedded.processes.orphans import kill_all
from rondo.embedded.processes.ports import LOOPBACK, free_port
from rondo.embedded.processes.process import Process
from rondo.embedded.processes.service_process import ServiceProcess, restart_delay

FAKE = Path(__file__).parents[1] / "fake_service.py"
Run = Callable[[str], ServiceProcess]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """Start a stand-in with a behaviour."""
    started: list[ServiceProcess] = []

    def start(mode: str) -> ServiceProcess:
        port = free_port()
        env = {**os.environ, "FAKE": mode, "RONDO_HTTP_HOST": LOOPBACK, "RONDO_HTTP_PORT": str(port)}
        command = [sys.executable, str(FAKE)]
        service = ServiceProcess("registry", command, env, f"http://{LOOPBACK}:{port}", tmp_path / "registry.log")
        started.append(service)
        service.start()
        return service

    yield start
    for service in started:
        await service.stop()


async def test_a_killed_service_is_restarted(run: Run) -> None:
    """The restart is counted."""
    service = run("ready")
    await service.wait_ready()
    before = service.process.pid
    service.kill()
    await service.wait_ready()
    assert service.restarts == 1
    assert service.process.pid != before


@pytest.mark.slow
async def test_a_service_that_keeps_dying_is_reported_with_its_log(run: Run, tmp_path: Path) -> None:
    """The wait ends at once, not after a minute."""
    with pytest.raises(NotReadyError) as caught:
        await run("dies").wait_ready()
    assert re.findall(r"\d+", caught.value.why) == ["3", "1"]
    assert (caught.value.log, caught.value.last_line) == (tmp_path / "registry.log", "FATAL no model store")


@pytest.mark.slow
async def test_a_service_that_is_never_ready_is_reported_with_its_answer(run: Run) -> None:
    """The last answer of `/readyz` is the best hint."""
    with pytest.raises(NotReadyError) as caught:
        await run("unready").wait_ready(timeout_seconds=2)
    assert re.search(r" 2 s http://127.0.0.1:\d+/readyz .*503: kafka: no answer; ", str(caught.value))


async def test_a_stopped_service_stays_stopped(run: Run) -> None:
    """No record of a process to end remains."""
    service = run("ready")
    await service.wait_ready()
    await service.stop()
    assert not service.process.is_running
    assert not service.process.log.with_suffix(".pid").exists()


def test_restarts_slow_down_up_to_a_bound() -> None:
    """A crash loop does not use up the processor."""
    assert [restart_delay(deaths) for deaths in (1, 2, 3, 4, 5, 6, 60)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_process_deaf_to_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    """The time of a stop is limited."""
    script = "trap '' TERM; sleep 600 & echo $!; wait; wait"
    process = Process(["/bin/sh", "-c", script], tmp_path / "deaf.log")
    process.start()
    while not (child := process.last_line()):
        pass
    process.stop(grace_seconds=0.2)
    assert process.exit_code == -9
    assert not psutil.pid_exists(int(child)) or psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE


def test_what_a_killed_stack_left_is_ended_by_the_next(tmp_path: Path) -> None:
    """This is for systems that do not signal children at their parent's death."""
    process = Process(["/bin/sleep", "600"], tmp_path / "left.log")
    process.start()
    assert kill_all(tmp_path) == [process.pid]
    assert not process.is_running
    assert kill_all(tmp_path) == []


def test_a_record_of_somebody_elses_process_is_ignored(tmp_path: Path) -> None:
    """Process ids are reused."""
    (tmp_path / "x.pid").write_text(f"{os.getpid()} 1.0")
    (tmp_path / "y.pid").write_text("nonsense")
    assert kill_all(tmp_path) == []
