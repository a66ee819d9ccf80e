"""`rondo outcome --from`: one outcome per line, with an error for each line that is not sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rondo.client import messages
from rondo.client.cli import session
from rondo.client.cli.bulk import json_lines
from rondo.client.cli.outcome_checks import label_of
from rondo.client.cli.output import print_error, print_json, print_note
from rondo.client.errors import NotFoundError, OutcomeTimeoutError, RefusedError, RondoError
from rondo.client.http.batch_files import suffix_of
from rondo.contracts.batch_files.formats import EXTENSIONS
from rondo.contracts.events.data import OutcomesAccepted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.cli.outcome_checks import Label
    from rondo.contracts.events.predictions import OutcomeObserved

_KEYS = ("outcome", "id", "entity", "event_time", "model")
_FORM = '{"outcome": 1, "id": "...", "event_time": "2013-03-01T12:00:00Z"}, with "entity" in place of "id" if wanted'
# The number of outcomes that are sent together. The outcomes of a pipe are sent one by one, because its next line may
# take long.
_CHUNK = 1_000


def follow_up(model: str) -> str:
    """Return a sentence with the commands that show what happened to the outcomes of a model."""
    return (
        f"`rondo watch {OutcomesAccepted.topic}` shows whether it was joined with a prediction, `rondo outcome {model} "
        "--unmatched` how many have none, `rondo failed --outcomes` whether it was refused"
    )


@dataclass
class _Results:
    """Counts lines, and prints an error for each line that is not sent.

    `unchecked` counts outcomes without a known label.
    """

    model: str
    json: bool
    sent: int = 0
    failed: int = 0
    unchecked: int = 0

    def add(self, number: int, observed: OutcomeObserved) -> None:
        self.sent += 1
        if self.json:
            print_json({"line": number, **observed.model_dump(mode="json")})

    def fail(self, number: int, error: RondoError) -> None:
        self.failed += 1
        message = f"line {number}: {error}"
        if self.json:
            print_json({"line": number, "error": error.code, "message": message})
        else:
            print_error(message)

    @property
    def summary(self) -> str:
        unchecked = f", {self.unchecked:,} of them not checked" if self.unchecked else ""
        return f"{self.sent:,} sent{unchecked}, {self.failed:,} not sent; {follow_up(self.model)}"


@dataclass
class _Labels:
    """Caches the label of each model, and prints each doubt about outcomes once."""

    rondo: AsyncRondo
    _found: dict[str, Label | NotFoundError | None] = field(default_factory=dict)
    _doubts: set[str] = field(default_factory=set)

    async def check(self, observed: OutcomeObserved) -> bool:
        """Return whether the outcome could be compared with its model's label. Print one warning for each new class.

        Raises:
            NotFoundError: the model does not exist.
            RefusedError: the outcome is not a value of the label.

        """
        model = observed.model
        if model not in self._found:
            try:
                self._found[model] = await label_of(self.rondo, model)
            except NotFoundError as error:
                self._found[model] = error
        label = self._found[model]
        if isinstance(label, NotFoundError):
            raise label
        if label is not None:
            label.check(observed)
            if (doubt := label.doubt(observed)) and doubt not in self._doubts:
                self._doubts.add(doubt)
                print_note(f"warning: {doubt}")
        return label is not None


def run(lines: BinaryIO, model: str, known_at: datetime | None, *, json: bool) -> int:
    """Send the outcome of each line. Return the exit code, which is 1 if a line is not sent.

    `known_at` is the time of lines without `event_time`.
    """
    _check_name(lines)
    lines = json_lines.readable(lines)
    if json_lines.count(lines) == 0:
        raise json_lines.nothing_in(lines, "outcome", _FORM)
    results = _Results(model, json)

    async def send(rondo: AsyncRondo) -> None:
        labels, numbered = _Labels(rondo), enumerate(lines, 1)
        size = _CHUNK if lines.seekable() else 1
        while chunk := list(islice(numbered, size)):
            read = [await _read(number, line, model, known_at, labels, results) for number, line in chunk]
            if not await _send(rondo, [each for each in read if each is not None], results):
                print_error(f"stopped: the lines after {chunk[-1][0]} are not sent")
                return

    session.run(send)
    if not results.sent and not results.failed:
        raise json_lines.nothing_in(lines, "outcome", _FORM)
    print_note(results.summary)
    return 1 if results.failed else 0


def _check_name(lines: BinaryIO) -> None:
    """Raise RefusedError for a file of rows, in which the column of the outcome is not known."""
    file_format = EXTENSIONS.get(suffix_of(Path(lines.name)), "JSON Lines")
    if file_format != "JSON Lines":
        message = (
            f"{Path(lines.name).name} is {file_format}, and outcomes are JSON Lines: write one per line as {_FORM}"
        )
        raise RefusedError(message, code="not_json")


async def _read(
    number: int, line: bytes, model: str, known_at: datetime | None, labels: _Labels, results: _Results
) -> tuple[int, OutcomeObserved] | None:
    """Return the line's number and outcome. None for a blank line, and for a line whose error was printed."""
    if not line.strip():
        return None
    try:
        observed = parse(line, model, known_at)
        results.unchecked += not await labels.check(observed)
    except (RefusedError, NotFoundError) as error:
        results.fail(number, error)
        return None
    return number, observed


def parse(line: bytes, model: str, known_at: datetime | None) -> OutcomeObserved:
    """Return the outcome of a line.

    Raises:
        RefusedError: the line is malformed, or it has no event time and `known_at` is None.

    """
    content: dict[str, Any] = json_lines.parse_object(line, "an outcome", _KEYS, _FORM)
    if "outcome" not in content:
        raise RefusedError(f"it has no outcome: write {_FORM}", code="bad_outcome")
    time = json_lines.event_time(content.get("event_time")) or known_at
    if time is None:
        raise RefusedError(
            f"it has no event_time, when the outcome became known: write {_FORM}, or give one for all with --at",
            code="bad_event_time",
        )
    return messages.outcome(
        content.get("model", model), content["outcome"], time, content.get("id"), content.get("entity")
    )


async def _send(rondo: AsyncRondo, read: Iterable[tuple[int, OutcomeObserved]], results: _Results) -> bool:
    """Send outcomes. Return false if Kafka is unavailable."""
    numbered = list(read)
    errors = await rondo.send_outcomes([observed for _, observed in numbered])
    for (number, observed), error in zip(numbered, errors, strict=True):
        if error is None:
            results.add(number, observed)
        else:
            results.fail(number, error)
    return not any(isinstance(error, OutcomeTimeoutError) for error in errors)
