"""The memory of a process that monitors many rows: run as `python -m tests.benchmarks.load.resident_memory <rows>...`.

The rows come in messages of 10,000. The module prints a line for each of the numbers, which ascend: the rows, the
resident memory in bytes after these rows, and the CPU seconds of the monitor so far, without those for making messages.
In addition to the monitor, the process only keeps 10 batches of rows, which are repeated.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from pathlib import Path

import pyarrow as pa

from tests.benchmarks.load.prediction_messages import REFERENCE, Monitor, message, profile, rows

SIZE, BATCHES = 10_000, 10


def resident() -> int:
    """Return the resident bytes of this process, without the memory that allocators keep for later."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main(*looks: int) -> None:
    monitor, took = await Monitor.of(profile(rows(REFERENCE, 0))), 0.0
    batches = [rows(SIZE, 1 + number) for number in range(BATCHES)]
    for first in range(0, looks[-1], SIZE):
        value = message(batches[first // SIZE % BATCHES], first)
        began = time.process_time()
        await monitor.take(value)
        took += time.process_time() - began
        # The store stands for PostgreSQL, so its memory does not count as the monitor's.
        monitor.store.models.clear()
        monitor.store.published.clear()
        if first + SIZE in looks:
            sys.stdout.write(f"{first + SIZE} {resident()} {took:.3f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
