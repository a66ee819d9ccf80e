"""The progress of the demo: a live view on a terminal, lines of text elsewhere."""

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

    from rondo.flights.view.observer import RunObserver
    from rondo.flights.view.snapshot import Snapshot

_REFRESH_PER_SECOND = 4


@contextmanager
def observing(console: Console) -> Iterator[RunObserver]:
    """Yield the observer that fits the console."""
    if not console.is_terminal:
        yield LineObserver(console)
        return
    observer = LiveObserver()
    with Live(get_renderable=observer.render, console=console, refresh_per_second=_REFRESH_PER_SECOND):
        try:
            yield observer
        finally:
            observer.end()


class LiveObserver:
    """The finished steps with their durations, and the live view above them."""

    def __init__(self) -> None:
        self._done: list[Text] = []
        self._step: tuple[str, float] | None = None
        self._spinner = Spinner("dots")
        self._view: RenderableType = Text("")

    def step(self, text: str) -> None:
        """Finish the current step and begin this one. A step with the same subject updates the current step."""
        if self._step is not None and _subject(text) == _subject(self._step[0]):
            self._step = (text, self._step[1])
            return
        self._finish()
        self._step = (text, time.monotonic())

    def show(self, snapshot: Snapshot) -> None:
        """Show the progress of the replay in place of earlier steps."""
        self._step = None
        self._done.clear()
        self._view = live.render(snapshot)

    def end(self) -> None:
        """Keep the last step without a check mark, because the view does not know if it succeeded."""
        if self._step is not None:
            self._done.append(Text(self._step[0]))
            self._step = None

    def render(self) -> RenderableType:
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
    """Return the part of a step before the colon."""
    return step.partition(":")[0]


class LineObserver:
    """Prints a line for each step, each important event, and each month."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._printed: set[str] = set()
        self._month = 0

    def step(self, text: str) -> None:
        self._print(f"{time.monotonic() - self._started:6.1f} s  {text}")

    def show(self, snapshot: Snapshot) -> None:
        for event in snapshot.events:
            if event.id not in self._printed:
                self._printed.add(event.id)
                self._print(live.line(event).plain)
        if snapshot.event_time and snapshot.event_time.month != self._month:
            self._month = snapshot.event_time.month
            self.step(
                f"{snapshot.event_time:%d %b %Y}: {snapshot.sent:,} sent, {snapshot.answered:,} answered, "
                f"lag {snapshot.lag:,}, {snapshot.rate:,.0f}/s, {snapshot.behind:.1f} s late"
            )

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
