"""Two replicas share the work: neither takes much more than half of the processor time and memory of one."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import numpy as np
import psutil
import pytest
from rondo.chassis.artifacts import Artifacts
from rondo.contracts.topics import DATA_PARTITIONS
from rondo.monitor.stream.partition_numbers import number_of

from tests.monitor.assignment.replicas import Replicas
from tests.monitor.builders import encode_predictions, instants, predictions
from tests.monitor.events import control_plane
from tests.monitor.streams import BINARY
from tests.monitor.test_integration import publish
from tests.support.access import bearer, publish_tokens
from tests.support.evidence import put_evidence
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.processes import ServiceProcess

# Two models for each partition, and two more for each.
_NAMES = [
    [f"model-{n}" for n in range(200) if number_of(f"model-{n}", DATA_PARTITIONS) == number][:4]
    for number in range(DATA_PARTITIONS)
]
FIRST, SECOND = ([name for names in _NAMES for name in names[half]] for half in (slice(2), slice(2, 4)))
MESSAGES, ROWS = 30, 4_000
Use = tuple[float, float, float]


async def use(process: ServiceProcess) -> Use:
    """Return the rows read, the processor time in seconds, and the memory in MB."""
    found = psutil.Process(process.pid)
    times = found.cpu_times()
    return await rows_read(process), times.user + times.system, found.memory_info().rss / 1e6


async def rows_read(process: ServiceProcess) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{process.url}/metrics", headers=bearer())).text
    return sum(map(float, re.findall(r'^rondo_monitor_rows_total\{log="predictions.log"\} (\S+)', text, re.MULTILINE)))


def logs_of(models: list[str]) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """Return predictions of one day that wait for their outcomes."""
    rng = np.random.default_rng(5)
    parts = [(part / MESSAGES, BINARY.rows(rng, ROWS)) for part in range(MESSAGES)]
    tables = [
        predictions(data, instants(day, ROWS, 1 / MESSAGES), [f"{day}-{i}" for i in range(ROWS)]) for day, data in parts
    ]
    return {name: ([encode_predictions(table, model=name) for table in tables], []) for name in models}


async def uses_of(replicas: Replicas, kafka: str, models: list[str], *names: str) -> list[Use]:
    """Return what replicas use for the rows of these models, from the time when they are ready."""
    logs = logs_of(models)
    with ExitStack() as opened:
        processes = [opened.enter_context(replicas.make(name)) for name in names]
        await asyncio.gather(*(each.ready() for each in processes))
        await replicas.divided(names[0], *names)
        before = [await use(each) for each in processes]
        published = len(models) * MESSAGES * ROWS
        publish(kafka, logs)

        async def all_read() -> bool:
            return sum([await rows_read(each) for each in processes]) - sum(rows for rows, *_ in before) == published

        await until(all_read, 240)
        after = [await use(each) for each in processes]
    return [
        (rows - rows_0, cpu - cpu_0, memory - memory_0)
        for (rows, cpu, memory), (rows_0, cpu_0, memory_0) in zip(after, before, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.timeout(540)
async def test_each_of_two_replicas_takes_half_of_what_one_takes(
    clean_kafka: str, database: Callable[[str], Awaitable[str]], free_port: Callable[[], int], tmp_path: Path
) -> None:
    """One replica reads the rows of some models. Then two replicas read those of as many other models."""
    artifacts = str(tmp_path / "artifacts")
    environment = {
        "RONDO_KAFKA": clean_kafka, "RONDO_POSTGRES": await database("monitor"), "RONDO_ARTIFACTS": artifacts,
    }  # fmt: skip
    of_control = [each for name in [*FIRST, *SECOND] for each in control_plane(name)]
    await put_evidence(Artifacts(artifacts))
    await asyncio.to_thread(publish_tokens, clean_kafka)
    publish(clean_kafka, {}, of_control)
    replicas = Replicas(environment, tmp_path, free_port)
    ((rows, cpu, memory),) = await uses_of(replicas, clean_kafka, FIRST, "a")
    both = await uses_of(replicas, clean_kafka, SECOND, "a", "b")
    print((rows, cpu, memory), both)  # noqa: T201
    for rows_of_one, cpu_of_one, memory_of_one in both:
        assert rows_of_one / rows == 0.5
        assert cpu_of_one / cpu <= 0.7
        # A process that reuses pages from before it was ready grows by less than the memory that it uses.
        assert memory_of_one / memory <= 0.7
