"""`rondo demo`: the processes that it starts, and its requirements for a running platform."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rondo.client.cli.local import demo

if TYPE_CHECKING:
    import pytest
    from rondo.flights.view.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[4]


class Steps(list[str]):
    """An observer that keeps the steps."""

    def step(self, text: str) -> None:
        self.append(text)

    def show(self, snapshot: Snapshot) -> None: ...


async def test_a_trainer_that_runs_already_needs_the_functions_of_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = object()
    monkeypatch.setattr(demo.session, "connection", lambda: connection)
    options = demo._Options("own-function", 1.0, 3, 0, True, False, None)  # noqa: FBT003 - as the command does
    for functions, named in ((Path("of/example"), [True]), (None, [])):
        steps = Steps()
        async with demo._system(options, steps, functions) as (connected, _, _):
            assert connected is connection
        assert ["RONDO_FUNCTIONS=of/example" in step for step in steps] == named


def test_make_gives_the_example_to_the_command(tmp_path: Path) -> None:
    """`make demo EXAMPLE=name` sets a variable of make, which the command reads from its environment."""
    rondo = tmp_path / "rondo"
    rondo.write_text('#!/bin/sh\necho "$1 $EXAMPLE"\n')
    rondo.chmod(0o755)
    asked = ["make", "--silent", "demo", "EXAMPLE=own-function", f"BIN={tmp_path}", "-o", ".venv/.synced"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    assert done.stdout == "demo own-function\n"
