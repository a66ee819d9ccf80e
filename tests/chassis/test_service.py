"""The entry point of a service."""

from __future__ import annotations

import os
import subprocess
import sys

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
