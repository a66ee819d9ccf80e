"""The lines of `rondo predict --from`."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rondo.client.cli.bulk import predictions
from rondo.contracts.events.predictions import PredictionRequested

WHOLE = {"id": "a", "entity": "e", "event_time": "2013-01-01T00:00:00Z", "features": {"distance": 1}, "model": "late"}


class Failures:
    """Takes the place of the printed results."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str, str]] = []
        self.without_event_time = 0

    def fail(self, about: dict[str, Any], code: str, message: str) -> None:
        self.found.append((about["line"], code, message))


def read(*lines: dict[str, Any]) -> tuple[list[PredictionRequested], list[tuple[int, str, str]]]:
    failures: Any = Failures()
    content = io.BytesIO(b"\n".join(map(orjson.dumps, lines)))
    return list(predictions.requests(content, "late", failures)), failures.found


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("entitty", "entity"),
        ("Entity", "entity"),
        ("feature", "features"),
        ("FEATURES", "features"),
        ("eventtime", "event_time"),
        ("ID", "id"),
        ("modle", "model"),
        ("distance", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_key_and_the_next_line_is_sent(
    key: str, nearest: str | None
) -> None:
    misspelt = {name: value for name, value in WHOLE.items() if name != nearest} | {key: WHOLE.get(nearest or "", 1)}
    sent, failures = read(WHOLE, misspelt, WHOLE | {"id": "c"})
    assert [request.id for request in sent] == ["a", "c"]
    ((line, code, message),) = failures
    assert (line, code) == (2, "unknown_key")
    assert message.startswith(f"line 2: {key[:80]!r} is not a key of a request")
    assert (f"did you mean {nearest!r}?" in message) == (nearest is not None)
    assert 'write {"features": {...}}' in message
    assert len(message) < 400


def test_requests_without_an_event_time_are_counted() -> None:
    failures: Any = Failures()
    lines = [{key: value for key, value in WHOLE.items() if key != "event_time"}, WHOLE, {"features": {}}]
    list(predictions.requests(io.BytesIO(b"\n".join(map(orjson.dumps, lines))), "late", failures))
    assert failures.without_event_time == 2


def test_all_keys_of_a_request_are_known() -> None:
    assert set(WHOLE) == set(PredictionRequested.model_fields)
    (sent,), failures = read(WHOLE)
    assert sent.entity == "e"
    assert failures == []
