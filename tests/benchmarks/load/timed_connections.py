"""Connections for the closed loops of HTTP and gRPC, which send again after each answer, and their figures."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

Figures = tuple[float, float, float, int]
WARM_UP_SECONDS = 1.0


class TimedConnection(Protocol):
    """A protocol of asyncio. `took` has the seconds of each answer, and `ended` the failure that ends the run."""

    took: list[float]
    ended: asyncio.Future[None]
    transport: Any


def main(measured: Coroutine[Any, Any, Figures]) -> None:
    """Print the figures."""
    # The load generator shares the cores with the server, so it uses as little processor time as possible.
    sys.stdout.write(" ".join(f"{figure:.4f}" for figure in uvloop.run(measured)))


async def measure(port: int, connection: Callable[[], Any], connections: int, seconds: float) -> Figures:
    """Return answers per second, median and 99th percentile of an answer's time in ms, and the number of answers.

    A warm-up precedes the measurement, and only counts in the number of answers.
    """
    loop = asyncio.get_running_loop()
    made: list[TimedConnection] = [
        (await loop.create_connection(connection, "127.0.0.1", port))[1] for _ in range(connections)
    ]
    await _watch(made, WARM_UP_SECONDS)
    warm_up = sum(len(each.took) for each in made)
    for each in made:
        each.took.clear()
    began = time.perf_counter()
    await _watch(made, seconds)
    lasted = time.perf_counter() - began
    took = sorted(each for one in made for each in one.took)
    for each in made:
        each.ended.cancel()
        each.transport.abort()
    return len(took) / lasted, took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3, warm_up + len(took)


async def _watch(connections: Sequence[TimedConnection], seconds: float) -> None:
    done, _ = await asyncio.wait([each.ended for each in connections], timeout=seconds, return_when="FIRST_COMPLETED")
    for failed in done:
        failed.result()
