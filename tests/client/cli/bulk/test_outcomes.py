"""`rondo outcome --from`: each line is sent, or reported with its number."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from rondo.client import AsyncRondo
from rondo.client.cli import outcome_checks
from rondo.client.cli.bulk import outcomes
from rondo.client.errors import NotFoundError, OutcomeTimeoutError, RefusedError
from rondo.contracts.tasks.binary import ZERO_ONE
from rondo.contracts.tasks.multiclass import ClassLabels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from click.testing import Result
    from rondo.client.errors import RondoError
    from rondo.contracts.events.predictions import OutcomeObserved

DAY = "2013-03-01T12:00:00Z"
WHOLE = {"outcome": 1, "id": "a", "event_time": DAY}


class Sent(list[str]):
    """The ids of the outcomes that were sent. `errors` are those of the ids that fail."""

    errors: dict[str, RondoError]

    async def send(self, outcomes: Iterable[OutcomeObserved]) -> list[RondoError | None]:
        names = [each.id or each.entity or "" for each in outcomes]
        self.extend(name for name in names if name not in self.errors)
        return [self.errors.get(name) for name in names]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    async def label_of(_: AsyncRondo, model: str) -> outcome_checks.Label | None:
        if model == "nosuch":
            raise NotFoundError("there is no model 'nosuch'")
        return outcome_checks.Label("late", ZERO_ONE) if model == "late" else None

    found = Sent()
    found.errors = {}
    monkeypatch.setattr(AsyncRondo, "send_outcomes", found.send)
    monkeypatch.setattr(outcomes, "label_of", label_of)
    return found


@pytest.fixture
def rondo(run: Callable[..., Result], tmp_path: Path) -> Callable[..., Result]:
    environment = {f"RONDO_{name}_URL": "http://127.0.0.1:1" for name in ("REGISTRY", "INGESTION", "SERVING")}

    def invoke(*lines: Any, options: tuple[str, ...] = ()) -> Result:
        content = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
        (tmp_path / "outcomes.jsonl").write_bytes(b"\n".join(content))
        asked = ("outcome", "late", "--from", "outcomes.jsonl", *options)
        return run(*asked, RONDO_KAFKA="127.0.0.1:1", RONDO_TOKEN="x", **environment)

    return invoke


MALFORMED: list[tuple[Any, str]] = [
    (b"\xff", "not_json"),
    ([1], "bad_request"),
    (WHOLE | {"entitty": "e"}, "unknown_key"),
    ({"id": "a", "event_time": DAY}, "bad_outcome"),
    ({"outcome": 1, "event_time": DAY}, "bad_outcome"),
    ({"outcome": 1, "id": "a"}, "bad_event_time"),
    (WHOLE | {"event_time": "2013-03-01T12:00:00"}, "bad_event_time"),
    (WHOLE | {"event_time": "2199-03-01T12:00:00Z"}, "bad_event_time"),
    (WHOLE | {"outcome": 3}, "bad_outcome"),
    (WHOLE | {"outcome": [1]}, "bad_outcome"),
    (WHOLE | {"model": "nosuch"}, "not_found"),
]


@pytest.mark.parametrize(("line", "code"), MALFORMED)
def test_a_line_that_can_t_be_sent_is_reported_and_the_others_are_sent(
    rondo: Callable[..., Result], sent: Sent, line: Any, code: str
) -> None:
    done = rondo(WHOLE, b"", line, WHOLE | {"id": "c"}, options=("--json",))
    output = [orjson.loads(each) for each in done.stdout.splitlines()]
    assert [(each["line"], each.get("error")) for each in output] == [(3, code), (1, None), (4, None)]
    assert (sent, done.exit_code) == (["a", "c"], 1)
    assert done.stderr.startswith("2 sent, 1 not sent; ")


def test_outcomes_by_entity_and_of_other_models_are_sent(rondo: Callable[..., Result], sent: Sent) -> None:
    done = rondo({"outcome": 0, "entity": "e", "event_time": DAY}, WHOLE | {"model": "other"})
    assert (sent, done.exit_code, done.stdout) == (["e", "a"], 0, "")
    assert re.findall(r"\d+|`rondo watch.*?`", done.stderr) == ["2", "1", "0", "`rondo watch outcomes.accepted`"]


def test_one_time_for_all_lines(rondo: Callable[..., Result], sent: Sent) -> None:
    assert rondo({"outcome": 0, "id": "a"}, options=("--at", DAY)).exit_code == 0
    assert sent == ["a"]


def test_a_line_that_kafka_does_not_acknowledge_is_reported(
    rondo: Callable[..., Result], sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "_CHUNK", 2)
    sent.errors = {"b": OutcomeTimeoutError(30)}
    done = rondo(*(WHOLE | {"id": name} for name in "abcd"))
    assert (sent, done.exit_code) == (["a"], 1)
    assert f"rondo: line 2: {OutcomeTimeoutError(30)}" in done.stderr
    assert "the lines after 2 are not sent" in done.stderr


def test_a_line_that_is_too_large_does_not_stop_the_others(rondo: Callable[..., Result], sent: Sent) -> None:
    sent.errors = {"b": RefusedError("too large")}
    done = rondo(*(WHOLE | {"id": name} for name in "abc"))
    assert (sent, done.exit_code) == (["a", "c"], 1)


@pytest.mark.parametrize(
    ("lines", "options", "code"),
    [((), (), 1), ((b" ",), (), 1), ((WHOLE,), ("--id", "a"), 2), ((WHOLE,), ("--at", "2013-03-01"), 2)],
)
def test_a_mistake_in_the_command(
    rondo: Callable[..., Result], sent: Sent, lines: tuple[Any, ...], options: tuple[str, ...], code: int
) -> None:
    assert rondo(*lines, options=options).exit_code == code
    assert sent == []


ENCODINGS: list[Callable[[bytes], bytes]] = [
    gzip.compress,
    lambda text: b"\xef\xbb\xbf" + text,
    lambda text: text.decode().encode("utf-16"),
]


@pytest.mark.parametrize("encode", ENCODINGS)
def test_lines_are_read_in_all_that_publish_reads(rondo: Callable[..., Result], sent: Sent, encode: Any) -> None:
    assert rondo(encode(orjson.dumps(WHOLE) + b"\n" + orjson.dumps(WHOLE | {"id": "b"}))).exit_code == 0
    assert sent == ["a", "b"]


def test_a_file_of_rows_is_refused_once(run: Callable[..., Result], sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text("id,outcome\na,1\nb,0\n")
    refused = run("outcome", "late", "--from", "known.csv")
    message = "known.csv is CSV, and outcomes are JSON Lines: write one per line as"
    assert (refused.exit_code, refused.stderr.count(message), sent) == (1, 1, [])


def test_a_new_class_is_sent_and_warned_of_once(
    rondo: Callable[..., Result], sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def label_of(_: AsyncRondo, model: str) -> outcome_checks.Label:
        assert model == "late"
        return outcome_checks.Label("kind", ClassLabels(), ("bug", "feature"))

    monkeypatch.setattr(outcomes, "label_of", label_of)
    written = ("bug", "bugg", "bugg", "feature")
    done = rondo(*(WHOLE | {"outcome": each, "id": f"o{number}"} for number, each in enumerate(written)))
    assert sent == ["o0", "o1", "o2", "o3"]
    assert done.exit_code == 0
    (warning,) = [line for line in done.stderr.splitlines() if "warning" in line]
    assert re.findall("'[a-z]+'", warning) == ["'bugg'", "'bug'"]
