"""The progress of a scoring: rows, rows per second, and the remaining time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from rondo.client.cli.output import stderr

if TYPE_CHECKING:
    from collections.abc import Mapping


def rate(job: Mapping[str, Any]) -> str | None:
    """Return the rows per second. None before the first row is scored."""
    return f"{job['rows_per_second']:,.0f}" if job["rows_per_second"] else None


def remaining(job: Mapping[str, Any]) -> str | None:
    """Return the remaining time. None if it is not known."""
    left = job["seconds_left"]
    return None if left is None else str(timedelta(seconds=round(left)))


class JobProgress:
    """A progress bar on a terminal. Prints nothing elsewhere."""

    def __init__(self, *, json: bool) -> None:
        console = stderr()
        self._progress = Progress(
            SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), console=console, transient=True,
            disable=json or not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("asking", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, job: Mapping[str, Any]) -> None:
        """Show the state of a job in the form of ingestion's API."""
        text = job["state"]
        if job["rows"] is not None:
            text = f"{job['scored']:,} of {job['rows']:,} rows"
            text += f", {rate(job)} rows/s" if rate(job) else ""
            text += f", {remaining(job)} left" if remaining(job) else ""
        self._progress.update(self._task, description=text, total=job["rows"], completed=job["scored"])
