"""Each example runs to its first automatic redeployment, and no answer is lost or given twice."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo
from rondo.client.connection import Connection
from rondo.embedded import Stack
from rondo.flights.dataset.messages import day
from rondo.flights.demo import run
from rondo.flights.examples import DEFAULT, FOLDER, example_named
from rondo.flights.plan import Plan
from rondo.flights.report.markdown import as_markdown

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.flights.view.snapshot import Snapshot


# `test_demo_command.py` runs the default example, for some days.
OTHERS = sorted({path.parent.name for path in FOLDER.glob("*/rondo.yaml")} - {DEFAULT})


class Silent:
    """An observer that shows nothing."""

    def step(self, text: str) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...


@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
async def test_an_example_is_redeployed_automatically(name: str, tmp_path: Path) -> None:
    example = example_named(name)
    plan = Plan(example, until=day(7), required_redeployments=1)
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(Stack(tmp_path / "home", functions=example.functions))
        rondo = await exits.enter_async_context(AsyncRondo(Connection.of_stack(stack.home)))
        report = await run(rondo, plan, Silent())
    print(as_markdown(report))  # noqa: T201 - shown by pytest when the test fails
    assert report.problems == []
    assert report.answered == report.requests == report.expected > 80_000
    assert (report.example, set(report.with_loop)) == (name, {3, 4, 5, 6})
