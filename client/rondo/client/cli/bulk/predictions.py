"""`rondo predict --from`: one request per line or row, and one result for each."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, BinaryIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn

from rondo.client import messages
from rondo.client.cli import session
from rondo.client.cli.bulk import json_lines, rows
from rondo.client.cli.bulk.json_lines import REQUEST_FORM, REQUEST_KEYS
from rondo.client.cli.output import print_error, print_json, print_note, print_prediction, stderr
from rondo.client.errors import DeliveryStatus, PredictionTimeoutError, RefusedError
from rondo.client.prediction import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.predictions import Unanswered
    from rondo.contracts.events.predictions import PredictionRequested

_DELIVERIES = {
    DeliveryStatus.ACKNOWLEDGED: "taken by Kafka and not answered in time",
    DeliveryStatus.UNKNOWN: "possibly taken by Kafka",
    DeliveryStatus.NOT_SENT: "not sent",
}


def run(lines: BinaryIO, model: str, seconds: float, *, json: bool) -> int:
    """Send a request for each line or row. Return the exit code, which is 1 if one has no answer within `seconds`."""
    lines, source = rows.opened(lines)
    total = json_lines.count(lines) if source is None else source.table.num_rows
    if total == 0:
        raise json_lines.nothing_in(lines, "request", REQUEST_FORM)
    with _progress(json=json) as progress:
        results = Results(progress, total, json=json)

        async def ask(rondo: AsyncRondo) -> None:
            if source is None:
                sent = requests(lines, model, results)
            else:
                columns = await rows.Columns.of(rondo, model)
                rows.check_columns(source.table.column_names, columns, model)
                sent = requests_of_rows(rows.requests(source, columns, model), results)
            async with aclosing(rondo.stream(sent, seconds)) as answers:
                async for answer in answers:
                    results.add(answer)

        session.run(ask)
    if not results.answered and not results.failed:
        raise json_lines.nothing_in(lines, "request", REQUEST_FORM)
    print_note(results.summary)
    if results.without_event_time:
        print_note(
            f"{results.without_event_time:,} without `event_time`, which count as asked when they were answered: give "
            "it to requests about the past, or later ones with older times are not monitored"
        )
    return 1 if results.failed else 0


class Results:
    """Prints and counts the results. Two threads call it: one reads lines, the other receives answers."""

    def __init__(self, progress: Progress, total: int | None, *, json: bool) -> None:
        self.answered = self.failed = self.without_event_time = 0
        self._deliveries: Counter[DeliveryStatus] = Counter()
        self._progress, self._json = progress, json
        self._task = progress.add_task("asking", total=total)

    def add(self, answer: Prediction | Unanswered) -> None:
        if isinstance(answer, Prediction):
            self.answered += 1
            print_prediction(answer, json=self._json)
            self._progress.advance(self._task)
            return
        about: dict[str, Any] = {"id": answer.request_id}
        if isinstance(answer, PredictionTimeoutError):
            self._deliveries[answer.delivery] += 1
            about["delivery"] = answer.delivery
        self.fail(about, answer.code, str(answer))

    def fail(self, about: dict[str, Any], code: str, message: str) -> None:
        """Print the error of a request: as text on stderr, or as JSON among the answers."""
        self.failed += 1
        if self._json:
            print_json(about | {"error": code, "message": message})
        else:
            print_error(message)
        self._progress.advance(self._task)

    @property
    def summary(self) -> str:
        counts = [f"{self.answered:,} answered"]
        counts += [f"{self._deliveries[each]:,} {text}" for each, text in _DELIVERIES.items() if self._deliveries[each]]
        refused = self.failed - self._deliveries.total()
        return ", ".join([*counts, f"{refused:,} refused"] if refused or not self.failed else counts)


def requests(lines: BinaryIO, model: str, results: Results) -> Iterator[PredictionRequested]:
    """Yield the request of each line. Print the error of a malformed line, and skip the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            request = _request(line, model)
        except RefusedError as error:
            results.fail({"line": number}, error.code, f"line {number}: {error}")
            continue
        results.without_event_time += request.event_time is None
        yield request


def requests_of_rows(
    found: Iterator[PredictionRequested | RefusedError], results: Results
) -> Iterator[PredictionRequested]:
    """Yield the requests of rows. Print the error of a row that gives no request, and skip the row."""
    for number, request in enumerate(found, 1):
        if isinstance(request, RefusedError):
            results.fail({"row": number}, request.code, f"row {number}: {request}")
            continue
        results.without_event_time += request.event_time is None
        yield request


def _request(line: bytes, model: str) -> PredictionRequested:
    content = json_lines.parse_object(line, "a request", REQUEST_KEYS, REQUEST_FORM)
    if not isinstance(content.get("features"), dict):
        raise RefusedError(f"it has no features: write {REQUEST_FORM}", code="bad_request")
    return messages.request(
        content.get("model", model),
        content["features"],
        content.get("id"),
        content.get("entity"),
        json_lines.event_time(content.get("event_time")),
    )


def _progress(*, json: bool) -> Progress:
    console = stderr()
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=json or not console.is_terminal,
        # On a terminal the answers are printed above the bar.
        redirect_stdout=sys.stdout.isatty(),
    )
