"""Sorts a micro-batch of outcomes (JSON) into columns by model; what can't be used is told apart, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from rondo.contracts.events import logs
from rondo.contracts.text import MAX_ID
from rondo.contracts.times import EARLIEST
from rondo.ingestion.batches.report_limits import cut, first
from rondo.ingestion.validation.event_times import latest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_KNOWN = 20  # models that a message names
_SUCH_AS = "send when it became known, with a zone, such as 2013-01-01T10:00:00Z"
_MAX_BYTES = 64 * 1024  # an outcome is some hundred bytes; more is another kind of message


class BadOutcomeError(ValueError):
    """A message is no outcome that can be used; the text says why, and what to send instead."""


@dataclass
class Columns:
    """The outcomes of one model, column by column."""

    id: list[str | None] = field(default_factory=list)
    entity: list[str | None] = field(default_factory=list)
    outcome: list[float] = field(default_factory=list)
    known_at: list[datetime] = field(default_factory=list)

    def batch(self, model: str) -> pa.RecordBatch:
        """Return them as a micro-batch of `outcomes.log`."""
        schema = logs.OUTCOMES_SCHEMA.with_metadata({"model": model})
        arrays = [pa.array(getattr(self, column.name), column.type) for column in logs.OUTCOMES_SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class Sorted:
    """The good ones by model, and the bad ones as (place in the micro-batch, why)."""

    good: dict[str, Columns]
    bad: list[tuple[int, BadOutcomeError]]


def sort_out(values: Sequence[bytes | None], models: Collection[str], now: datetime) -> Sorted:
    """Sort a micro-batch of `outcomes.observed`, in which `models` are the ones that exist; `now` is the wall clock's.

    An outcome of the future is none: it would move the point up to which outcomes count as known.
    """
    good: dict[str, Columns] = {}
    bad: list[tuple[int, BadOutcomeError]] = []
    for place, value in enumerate(values):
        try:
            content = _read(value)
            model = _model(content, models)
            ids = _name(content, "id"), _name(content, "entity")
            if ids == (None, None):
                raise BadOutcomeError("it names neither `id` nor `entity`: say which prediction it is about")
            outcome, known_at = _outcome(content), _time(content, now)
        except BadOutcomeError as error:
            bad.append((place, error))
            continue
        columns = good.get(model)
        if columns is None:
            columns = good[model] = Columns()
        columns.id.append(ids[0])
        columns.entity.append(ids[1])
        columns.outcome.append(outcome)
        columns.known_at.append(known_at)
    return Sorted(good, bad)


def _read(value: bytes | None) -> dict[str, Any]:
    if value is None or len(value) > _MAX_BYTES:
        size = "empty" if value is None else f"{len(value):,} bytes long"
        raise BadOutcomeError(f"it is {size}: send one JSON object of less than {_MAX_BYTES // 1024} KiB")
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadOutcomeError(f"it is not JSON ({error}): send one JSON object in UTF-8") from None
    if not isinstance(content, dict):
        raise BadOutcomeError("it is JSON, but no object: send {model, id or entity, outcome, event_time}")
    return content


def _model(content: dict[str, Any], models: Collection[str]) -> str:
    model = content.get("model")
    if isinstance(model, str) and model in models:
        return model
    close = get_close_matches(model, models, n=1) if isinstance(model, str) else []
    known = ", ".join(first(sorted(models), _KNOWN)) or "none yet"
    hint = f"did you mean {close[0]!r}?" if close else f"known: {known}; apply a spec"
    raise BadOutcomeError(f"there is no model {cut(str(model))!r}: {hint}")


def _name(content: dict[str, Any], key: str) -> str | None:
    name = content.get(key)
    if name is None or (isinstance(name, str) and 0 < len(name) <= MAX_ID):
        return name
    raise BadOutcomeError(f"`{key}` is {cut(str(name))!r}: send a text of 1 to {MAX_ID} characters")


def _outcome(content: dict[str, Any]) -> float:
    outcome = content.get("outcome")
    if isinstance(outcome, int | float) and outcome in (0, 1):
        return float(outcome)
    raise BadOutcomeError(f"`outcome` is {cut(str(outcome))!r}: send 0 or 1")


def _time(content: dict[str, Any], now: datetime) -> datetime:
    said = content.get("event_time")
    time = _moment(said) if isinstance(said, str) else None
    if time is None:
        raise BadOutcomeError(f"`event_time` is {cut(str(said))!r}: {_SUCH_AS}")
    if time < EARLIEST:
        raise BadOutcomeError(f"`event_time` is {cut(str(said))!r}, before the year 1900: {_SUCH_AS}")
    if time > latest(now):
        raise BadOutcomeError(f"`event_time` is {cut(str(said))!r}, more than a day ahead of now: {_SUCH_AS}")
    return time


def _moment(said: str) -> datetime | None:
    """Return a time in UTC; None for what is no time, has no zone, or lies before or after the years there are."""
    try:
        time = datetime.fromisoformat(said)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
