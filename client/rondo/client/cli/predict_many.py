"""`rondo predict --from`: a request on each line, and a line of result for each, whatever becomes of it."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from rondo.client import event_times, messages
from rondo.client.cli.output import complain, note, print_json, show_prediction
from rondo.client.cli.output import messages as messages_screen
from rondo.client.cli.session import using
from rondo.client.errors import RefusedError
from rondo.client.messages import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.predictions import Unanswered
    from rondo.contracts.events.predictions import PredictionRequested

_FORM = '{"features": {...}}, and if wanted "id", "entity", "event_time"'


def run(lines: BinaryIO, model: str, seconds: float, *, json: bool) -> int:
    """Ask for every line; return the exit code, 1 if a line has no answer within `seconds`."""
    total = _count(lines)
    with _progress(json=json) as progress:
        results = Results(progress, total, json=json)

        async def ask(rondo: AsyncRondo) -> None:
            async with aclosing(rondo.stream(requests(lines, model, results), seconds)) as answers:
                async for answer in answers:
                    results.take(answer)

        using(ask)
    note(f"{results.answered:,} answered, {results.failed:,} not")
    return 1 if results.failed else 0


class Results:
    """Prints what became of each line, and counts. It is told from two threads: of lines, and of answers."""

    def __init__(self, progress: Progress, total: int | None, *, json: bool) -> None:
        self.answered = self.failed = 0
        self._progress, self._json = progress, json
        self._task = progress.add_task("asking", total=total)

    def take(self, answer: Prediction | Unanswered) -> None:
        """Show an answer, or why there is none."""
        if isinstance(answer, Prediction):
            self.answered += 1
            show_prediction(answer, json=self._json)
            self._progress.advance(self._task)
            return
        self.fail({"id": answer.request_id}, answer.code, str(answer))

    def fail(self, about: dict[str, Any], code: str, message: str) -> None:
        """Show why there is no answer: to people on stderr, to programs among the answers."""
        self.failed += 1
        if self._json:
            print_json(about | {"error": code, "message": message})
        else:
            complain(message)
        self._progress.advance(self._task)


def requests(lines: BinaryIO, model: str, results: Results) -> Iterator[PredictionRequested]:
    """Yield the request of each line; one that is none is told at once, and the others go on."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _request(line, model)
        except RefusedError as error:
            results.fail({"line": number}, error.code, f"line {number}: {error}")


def _request(line: bytes, model: str) -> PredictionRequested:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"it is not JSON ({error}): write {_FORM}", code="not_json") from None
    if not isinstance(content, dict) or not isinstance(content.get("features"), dict):
        raise RefusedError(f"it has no features: write {_FORM}", code="bad_request")
    return messages.request(
        content.get("model", model),
        content["features"],
        content.get("id"),
        content.get("entity"),
        _event_time(content.get("event_time")),
    )


def _event_time(said: object) -> datetime | None:
    if said is None:
        return None
    return event_times.read(said if isinstance(said, str) else repr(said))


def _count(lines: BinaryIO) -> int | None:
    """Return how many requests a file has, None for a pipe, which can't be read twice."""
    if not lines.seekable():
        return None
    count = sum(1 for line in lines if line.strip())
    lines.seek(0)
    return count


def _progress(*, json: bool) -> Progress:
    screen = messages_screen()
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        disable=json or not screen.is_terminal,
        # On one screen the answers have to pass above the bar; into a file they go by themselves.
        redirect_stdout=sys.stdout.isatty(),
    )
