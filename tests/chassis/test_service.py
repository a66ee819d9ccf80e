"""The entry point of a service."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SERVICE = """
import asyncio, gc, os, signal
from contextlib import asynccontextmanager
from rondo.chassis import service
from rondo.chassis.settings import ServiceSettings

class Settings(ServiceSettings):
    service: str = "example"

def stop():
    print(gc.get_freeze_count())
    os.kill(os.getpid(), signal.SIGTERM)

@asynccontextmanager
async def application(_):
    asyncio.get_running_loop().call_soon(stop)
    yield

service.main(Settings, application)
"""


def test_what_exists_at_the_start_is_not_collected_again() -> None:
    environment = os.environ | {"RONDO_KAFKA": "127.0.0.1:1", "RONDO_HTTP_PORT": "0"}
    command = [sys.executable, "-c", SERVICE]
    ended = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    assert int(ended.stdout) > 10_000


REFUSED = """
from contextlib import asynccontextmanager
from rondo.chassis import service
from rondo.chassis.errors import StartRefusedError
from rondo.chassis.settings import ServiceSettings

class Settings(ServiceSettings):
    service: str = "example"

class RefusedError(StartRefusedError):
    pass

@asynccontextmanager
async def application(_):
    raise {raised}
    yield

service.main(Settings, application)
"""


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ("RefusedError('unfit')", 2),
        ("ExceptionGroup('tasks', [ExceptionGroup('more', [RefusedError('unfit')])])", 2),
        ("ExceptionGroup('tasks', [OSError('closed'), RefusedError('unfit')])", 2),
        ("ExceptionGroup('tasks', [OSError('closed')])", 1),
        ("OSError('closed')", 1),
    ],
)
@pytest.mark.medium
def test_a_start_that_is_refused_exits_with_2_whatever_else_fails(raised: str, code: int) -> None:
    environment = os.environ | {"RONDO_KAFKA": "127.0.0.1:1", "RONDO_HTTP_PORT": "0"}
    command = [sys.executable, "-c", REFUSED.replace("{raised}", raised)]
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == code
    lines = [line for line in ended.stderr.splitlines() if '"CRITICAL"' in line]
    assert len(lines) == (code == 2)
    assert all("unfit" in line for line in lines)
    assert ("OSError" in ended.stderr) == ("OSError" in raised)
