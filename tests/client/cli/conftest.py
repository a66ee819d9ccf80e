"""The command against stub services over HTTP, without Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.client.stub_services import SPEC, Monitor, Services, serving

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

Run = Callable[..., "Result"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    yield from serving(Services)


@pytest.fixture(scope="module")
def monitor() -> Iterator[str]:
    yield from serving(Monitor)


@pytest.fixture
def rondo(run: Run, address: str, monitor: str) -> Run:
    """Return a function that runs the command against these services, without Kafka."""
    names = ("REGISTRY", "INGESTION", "SERVING", "TRAINER")
    environment = {f"RONDO_{name}_URL": address for name in names} | {
        "RONDO_MONITOR_URL": monitor,
        "RONDO_KAFKA": "127.0.0.1:1",
        "RONDO_TOKEN": "x",
    }

    def invoke(*arguments: str, stdin: str | None = None, **more: str) -> Result:
        return run(*arguments, stdin=stdin, **environment | more)

    return invoke


@pytest.fixture
def batch(tmp_path: Path) -> str:
    (tmp_path / "january.csv").write_text("id\n1\n")
    (tmp_path / "late.yaml").write_text(SPEC)
    return "january.csv"
