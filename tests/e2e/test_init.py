"""A file without a description: `rondo init`, `apply` and `publish` suffice for a version that serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from rondo.client import AsyncRondo, Connection
from rondo.client.cli import app
from rondo.contracts.spec.file import parse_spec
from rondo.embedded.stack import Stack
from typer.testing import CliRunner

from tests.client.spec_proposal.test_trains import LABELS, orders, written
from tests.e2e import small_model

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {"binary": "two texts", "multiclass": "classes", "regression": "numbers"}


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_a_proposed_spec_trains_a_version_for_each_task(tmp_path: Path) -> None:
    async with Stack(tmp_path / "home") as stack, AsyncRondo(Connection.of_stack(stack.home)) as rondo:
        for task, kind in KINDS.items():
            (tmp_path / task).mkdir()
            file = written(tmp_path / task, ".csv", orders(LABELS[kind][1]))
            spec = tmp_path / task / "rondo.yaml"
            await command(stack, "init", "--from", str(file), "-o", str(spec), "--model", task, "--dataset", task)
            await command(stack, "apply", str(spec))
            await command(stack, "publish", task, str(file))
            await small_model.until_served(rondo, task)
            assert parse_spec(spec.read_text()).task == task


async def command(stack: Stack, *arguments: str) -> None:
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env={"RONDO_HOME": str(stack.home)})
    assert done.exit_code == 0, done.output
