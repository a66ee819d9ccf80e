"""Parses a micro-batch of outcomes (JSON) into columns by model, and collects invalid messages with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pyarrow as pa

from rondo.contracts.events import logs
from rondo.contracts.tasks.registry import UnknownTaskError
from rondo.contracts.text import MAX_ID, unstorable
from rondo.contracts.times import EARLIEST, MOST_AHEAD
from rondo.ingestion.validation.shorten import excerpt, names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rondo.contracts.tasks.base import Labels

_EXAMPLE = "send when it became known, with a zone, such as 2013-01-01T10:00:00Z"
_MAX_BYTES = 64 * 1024  # an outcome has some hundred bytes. A longer message is something else


class InvalidOutcomeError(ValueError):
    """A message is not a valid outcome. `field` is the invalid field, None if the message is no JSON object."""

    code: ClassVar[str] = "invalid_outcome"

    def __init__(self, field: str | None, message: str) -> None:
        self.field = field
        super().__init__(message)


@dataclass
class OutcomeColumns:
    """The outcomes of one model, column by column."""

    id: list[str | None] = field(default_factory=list)
    entity: list[str | None] = field(default_factory=list)
    outcome: list[float | None] = field(default_factory=list)
    outcome_label: list[str | None] = field(default_factory=list)
    known_at: list[datetime] = field(default_factory=list)

    def batch(self, model: str) -> pa.RecordBatch:
        """Return them as a micro-batch of `outcomes.log`."""
        schema = logs.OUTCOMES_SCHEMA.with_metadata({"model": model})
        arrays = [pa.array(getattr(self, column.name), column.type) for column in logs.OUTCOMES_SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class ParsedOutcomes:
    """The valid outcomes by model, and the invalid messages as (index in the micro-batch, error)."""

    valid: dict[str, OutcomeColumns]
    invalid: list[tuple[int, InvalidOutcomeError]]


def parse_outcomes(
    values: Sequence[bytes | None], models: Mapping[str, Labels | UnknownTaskError], now: datetime
) -> ParsedOutcomes:
    """Parse a micro-batch of `outcomes.observed` at the time `now`.

    `models` has the labels of each model that has a spec. Every outcome of a model with an unknown task is invalid. So
    is an outcome in the future: it would advance the time up to which outcomes count as known.
    """
    valid: dict[str, OutcomeColumns] = {}
    invalid: list[tuple[int, InvalidOutcomeError]] = []
    for index, value in enumerate(values):
        try:
            content = _json_object(value)
            model, labels = _model(content, models)
            ids = _name(content, "id"), _name(content, "entity")
            if ids == (None, None):
                raise InvalidOutcomeError("id", "`id` and `entity` are missing: send one, it names the prediction")
            outcome, known_at = _outcome(content, labels), _time(content, now)
        except InvalidOutcomeError as error:
            invalid.append((index, error))
            continue
        columns = valid.get(model)
        if columns is None:
            columns = valid[model] = OutcomeColumns()
        columns.id.append(ids[0])
        columns.entity.append(ids[1])
        columns.outcome.append(None if isinstance(outcome, str) else outcome)
        columns.outcome_label.append(outcome if isinstance(outcome, str) else None)
        columns.known_at.append(known_at)
    return ParsedOutcomes(valid, invalid)


def _json_object(value: bytes | None) -> dict[str, Any]:
    if value is None or len(value) > _MAX_BYTES:
        size = "empty" if value is None else f"{len(value):,} bytes long"
        raise InvalidOutcomeError(
            None, f"the message is {size}: send one JSON object of less than {_MAX_BYTES // 1024} KiB"
        )
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidOutcomeError(None, f"the message is not JSON ({error}): send one JSON object in UTF-8") from None
    if not isinstance(content, dict):
        raise InvalidOutcomeError(
            None, "the message is not a JSON object: send {model, id or entity, outcome, event_time}"
        )
    return content


def _model(content: dict[str, Any], models: Mapping[str, Labels | UnknownTaskError]) -> tuple[str, Labels]:
    model = content.get("model")
    labels = models.get(model) if isinstance(model, str) else None
    if isinstance(model, str) and labels is not None:
        if isinstance(labels, UnknownTaskError):
            raise InvalidOutcomeError(
                "model",
                f"the model {model!r} has the task {excerpt(labels.name)!r}, which this release of ingestion does not "
                "know: upgrade ingestion, then publish this dead letter again",
            )
        return model, labels
    close = get_close_matches(model, models, n=1) if isinstance(model, str) else []
    known = names(sorted(models)) or "none yet"
    hint = f"did you mean {close[0]!r}?" if close else f"known: {known}; apply a spec"
    raise InvalidOutcomeError("model", f"there is no model {excerpt(str(model))!r}: {hint}")


def _name(content: dict[str, Any], key: str) -> str | None:
    name = content.get(key)
    if name is None:
        return None
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID:
        raise InvalidOutcomeError(key, f"`{key}` is {excerpt(str(name))!r}: send a text of 1 to {MAX_ID} characters")
    if character := unstorable(name):
        problem = f"`{key}` is {excerpt(name)!r}, and {character} can't be stored: send it without"
        raise InvalidOutcomeError(key, problem)
    return name


def _outcome(content: dict[str, Any], labels: Labels) -> float | str:
    outcome = content.get("outcome")
    label = labels.parse(outcome)
    if label is None:
        raise InvalidOutcomeError("outcome", f"`outcome` is {excerpt(str(outcome))!r}: send {labels.expected}")
    return label


def _time(content: dict[str, Any], now: datetime) -> datetime:
    given = content.get("event_time")
    time = _utc(given) if isinstance(given, str) else None
    if time is None or time < EARLIEST or time > now + MOST_AHEAD:
        far = "" if time is None else ", before the year 1900" if time < EARLIEST else ", more than a day ahead of now"
        raise InvalidOutcomeError("event_time", f"`event_time` is {excerpt(str(given))!r}{far}: {_EXAMPLE}")
    return time


def _utc(text: str) -> datetime | None:
    """Return the time in UTC. None for text that is not a time, has no zone, or is out of datetime's range."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
