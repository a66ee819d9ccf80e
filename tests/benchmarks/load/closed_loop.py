"""Runs a load generator in a separate process against a server, and measures the CPU time of the server."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))


class Figures(NamedTuple):
    """Answers per second, the median and the 99th percentile of an answer's time in ms, and its CPU time in ms."""

    rate: float
    median: float
    tail: float
    cpu: float


def run(generator: str, pid: int, *arguments: object) -> Figures:
    """Run a load generator, a module of this package, for `BENCH_SECONDS`.

    The CPU time is that of the process `pid` and its children.
    """
    command = [sys.executable, "-m", f"{__package__}.{generator}", *map(str, arguments), str(SECONDS)]
    before = cpu_seconds_of_tree(pid)
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()  # noqa: S603
    rate, median, tail, answers = map(float, printed)
    return Figures(rate, median, tail, (cpu_seconds_of_tree(pid) - before) / answers * 1e3)


def cpu_seconds_of_tree(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def medians(figures: Sequence[Figures]) -> Figures:
    """Return the median of the rounds for each figure."""
    return Figures(*(statistics.median(column) for column in zip(*figures, strict=True)))


def shown(name: str, figures: Figures) -> str:
    rate, median, tail, cpu = figures
    return f"{name}: {rate:,.0f}/s, p50 {median:.1f} ms, p99 {tail:.1f} ms, CPU {cpu:.2f} ms"
