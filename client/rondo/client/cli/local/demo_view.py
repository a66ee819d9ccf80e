"""Who looks at the demo: a live view on a terminal, lines of text anywhere else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from rondo.flights.view import live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from rondo.flights.plan import Watcher
    from rondo.flights.view.live import Snapshot

_REFRESH_PER_SECOND = 4


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """Return the watcher that fits where the output goes."""
    if not console.is_terminal:
        yield Lines(console)
        return
    watcher = Picture()
    with Live(get_renderable=watcher.render, console=console, refresh_per_second=_REFRESH_PER_SECOND):
        try:
            yield watcher
        finally:
            watcher.end()


class Picture:
    """The steps so far, each with its time, and below them the live view."""

    def __init__(self) -> None:
        self._done: list[Text] = []
        self._step: tuple[str, float] | None = None
        self._spinner = Spinner("dots")
        self._view: RenderableType = Text("")

    def step(self, text: str) -> None:
        """Take the last step as done and show this one; the same step, told anew with how far it is, goes on."""
        if self._step is not None and _subject(text) == _subject(self._step[0]):
            self._step = (text, self._step[1])
            return
        self._finish()
        self._step = (text, time.monotonic())

    def show(self, snapshot: Snapshot) -> None:
        """Show the replay; the steps before it have had their time."""
        self._step = None
        self._done.clear()
        self._view = live.render(snapshot)

    def end(self) -> None:
        """Let the last step stand as it was told: nothing goes on, and whether it was done is not known here."""
        if self._step is not None:
            self._done.append(Text(self._step[0]))
            self._step = None

    def render(self) -> RenderableType:
        """Return what is to be seen now."""
        if self._step is None:
            return Group(self._view, *self._done)
        text, since = self._step
        self._spinner.update(text=Text(f"{text} ({time.monotonic() - since:.0f} s)"))
        return Group(self._view, *self._done, self._spinner)

    def _finish(self) -> None:
        if self._step is not None:
            text, since = self._step
            self._done.append(Text(f"✓ {text} ({time.monotonic() - since:.1f} s)", "green"))


def _subject(step: str) -> str:
    """Return what a step is about, which stands before the colon."""
    return step.partition(":")[0]


class Lines:
    """A line for each step, each event of interest, and each month."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._seen: set[str] = set()
        self._month = 0

    def step(self, text: str) -> None:
        """Print it, with the seconds since the start."""
        self._say(f"{time.monotonic() - self._started:6.1f} s  {text}")

    def show(self, snapshot: Snapshot) -> None:
        """Print what is new."""
        for event in snapshot.events:
            if event.id not in self._seen:
                self._seen.add(event.id)
                self._say(live.line(event).plain)
        if snapshot.event_time and snapshot.event_time.month != self._month:
            self._month = snapshot.event_time.month
            self.step(
                f"{snapshot.event_time:%d %b %Y}: {snapshot.sent:,} sent, {snapshot.answered:,} answered, "
                f"lag {snapshot.lag:,}, {snapshot.rate:,.0f}/s, {snapshot.behind:.1f} s late"
            )

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
