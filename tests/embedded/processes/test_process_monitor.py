"""Processes of a stack that die are restarted and reported."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from rondo.embedded import Service, Stack
from rondo.embedded.processes.server import Server

from tests.support.waiting import until

FAKE = str(Path(__file__).parents[1] / "fake_service.py")
SERVING = Service("serving", needs_postgres=False, command=(sys.executable, FAKE))


def crash(server: Server | None) -> None:
    """Kill a server's process without its owner."""
    assert server is not None
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGKILL)


async def until_reported(reported: list[str], *lines: str) -> None:
    await until(lambda: set(lines) <= set(reported), 60)


def logged(stack: Stack) -> list[str]:
    """Return the stack's own log. Its lines have the form of the services' lines."""
    lines = [json.loads(line) for line in (stack.home / "logs" / "stack.log").read_text().splitlines()]
    assert all(line.keys() == {"time", "level", "service", "message"} for line in lines)
    return [line["message"] for line in lines]


@pytest.mark.slow
async def test_a_killed_server_is_restarted_and_reported(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test uses a running broker, because the next test starts and kills one, which takes longer."""
    monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
    reported: list[str] = []
    async with Stack(tmp_path / "home", services=()) as stack:
        watch = asyncio.create_task(stack.report_restarts(reported.append))
        crash(stack.postgres)
        await until_reported(reported, "PostgreSQL is ready again")
        watch.cancel()
        assert stack.postgres is not None
        assert await stack.postgres.answers()
        assert stack.restarts() == {"PostgreSQL": 1}
        died = "PostgreSQL died with exit code -9: restarting it with its data"
        assert logged(stack) == reported == [died, "PostgreSQL is ready again"]


@pytest.mark.slow
async def test_killed_servers_are_restarted_and_reported(tmp_path: Path) -> None:
    reported: list[str] = []
    async with Stack(tmp_path / "home", services=()) as stack:
        watch = asyncio.create_task(stack.report_restarts(reported.append))
        crash(stack.kafka)
        crash(stack.postgres)
        await until_reported(reported, "Kafka is ready again", "PostgreSQL is ready again")
        watch.cancel()
        assert stack.kafka is not None
        assert stack.postgres is not None
        assert await stack.kafka.answers()
        assert await stack.postgres.answers()
        assert stack.restarts() == {"Kafka": 1, "PostgreSQL": 1}
        assert logged(stack) == reported
    deaths = {(line.split()[0], line.partition(":")[0].split()[-1]) for line in reported}
    assert deaths >= {("Kafka", "-9"), ("PostgreSQL", "-9")}


@pytest.mark.slow
async def test_a_full_disk_prevents_no_restart(tmp_path: Path) -> None:
    reported: list[str] = []
    async with Stack(tmp_path / "home", services=()) as stack:
        (stack.home / "logs").mkdir(exist_ok=True)
        (stack.home / "logs" / "stack.log").symlink_to("/dev/full")
        watch = asyncio.create_task(stack.report_restarts(reported.append))
        crash(stack.postgres)
        await until_reported(reported, "PostgreSQL is ready again")
        watch.cancel()


@pytest.mark.slow
async def test_a_server_that_its_owner_killed_stays_down_until_its_owner_restarts_it(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home", services=()) as stack:
        assert stack.postgres is not None
        stack.postgres.kill()
        await asyncio.sleep(1)
        assert not stack.postgres.process.is_running
        await stack.postgres.restart()
        assert stack.restarts() == {"Kafka": 0, "PostgreSQL": 0}
        reported: list[str] = []
        watch = asyncio.create_task(stack.report_restarts(reported.append))
        crash(stack.postgres)
        await until_reported(reported, "PostgreSQL is ready again")
        watch.cancel()
        assert stack.restarts() == {"Kafka": 0, "PostgreSQL": 1}


@pytest.mark.slow
async def test_a_service_that_dies_or_freezes_is_reported(
    tmp_path: Path, clean_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RONDO_KAFKA", clean_kafka)
    reported: list[str] = []
    async with Stack(tmp_path / "home", services=[SERVING]) as stack:
        watch = asyncio.create_task(stack.report_restarts(reported.append))
        process = stack.services["serving"].process
        process.pause()
        frozen = f"serving is frozen and answers nothing: `kill -CONT {process.pid}` continues it"
        await until_reported(reported, frozen)
        process.resume()
        await until_reported(reported, "serving is no longer frozen")
        stack.kill("serving")
        died = "serving died with exit code -9 and was restarted"
        await until_reported(reported, died)
        watch.cancel()
        assert logged(stack) == reported == [frozen, "serving is no longer frozen", died]
