"""The generated documents are current, valid, and complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from rondo.chassis.errors import Origin, dead_letter_headers
from rondo.contracts.events.cloudevents import Envelope
from rondo.contracts.topics import (
    ARROW_TOPICS,
    BY_NAME,
    CONTROL_EVENTS,
    DEAD_LETTER_HEADERS,
    DEAD_LETTER_TOPICS,
    TOPICS,
)
from rondo.docgen import headers
from rondo.docgen.asyncapi import ARROW_STREAM, DOCUMENTS, documents
from rondo.docgen.schemas import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITTED = sorted(path.relative_to(DOCUMENTS).as_posix() for path in DOCUMENTS.rglob("*") if path.is_file())
generated = cache(documents)
SPECIFICATION = Path(__file__).parent / "asyncapi" / "3.0.0.json"


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DOCUMENTS / "asyncapi.yaml").read_text())
    return content


@pytest.mark.medium
@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_document_is_current(name: str) -> None:
    assert (DOCUMENTS / name).read_text() == generated().get(name), "run `make docs` and commit docs/events"


def test_no_document_is_left_of_an_event_that_is_gone() -> None:
    assert set(COMMITTED) == generated().keys(), "run `make docs` and commit docs/events"


@pytest.mark.medium
def test_the_same_code_gives_the_same_bytes() -> None:
    assert documents() == generated()


@pytest.mark.medium
def test_it_is_valid_by_the_specifications_own_schema(published: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(json.loads(SPECIFICATION.read_text())).validate(published)


@pytest.mark.medium
def test_the_specifications_schema_can_refuse(published: dict[str, Any]) -> None:
    broken = {**published, "operations": {"x": {"action": "shout", "channel": {"$ref": "#/channels/alerts.raised"}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(json.loads(SPECIFICATION.read_text())).validate(broken)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def test_every_reference_leads_somewhere(published: dict[str, Any]) -> None:
    references = set(_references(published))
    assert references
    for reference in references:
        place = published
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, f"{reference} leads nowhere"
            place = place[step]


def test_it_agrees_with_the_table_of_topics(published: dict[str, Any]) -> None:
    assert published["channels"].keys() == BY_NAME.keys()
    for topic in TOPICS:
        kafka = published["channels"][topic.name]["bindings"]["kafka"]
        assert (kafka["partitions"], kafka["topicConfiguration"]["cleanup.policy"]) == (
            topic.partitions,
            [topic.cleanup],
        )
        senders = [name for name in published["operations"] if name.endswith(f".send.{topic.name}")]
        assert senders == [f"{topic.writer}.send.{topic.name}"]


@pytest.mark.parametrize("name", ARROW_TOPICS)
def test_the_columnar_logs_are_called_arrow(published: dict[str, Any], name: str) -> None:
    assert published["components"]["messages"][name]["contentType"] == ARROW_STREAM


@pytest.mark.parametrize("name", DEAD_LETTER_TOPICS)
def test_dead_letters_name_their_headers(published: dict[str, Any], name: str) -> None:
    message = published["components"]["messages"][name]
    assert message["headers"]["required"] == list(DEAD_LETTER_HEADERS)
    assert message["contentType"] == "application/octet-stream"


def test_the_chassis_writes_the_headers_that_are_documented() -> None:
    written = dead_letter_headers(Origin("models.trained", 0, 7, "registry"), ValueError("no"), 5, datetime.now(UTC))
    assert written.keys() == DEAD_LETTER_HEADERS.keys()


@pytest.mark.medium
@pytest.mark.parametrize("event", CONTROL_EVENTS, ids=lambda event: event.__name__)
def test_the_headers_of_an_event_fit_their_schema(event: Any) -> None:
    value = event.model_validate_json((EXAMPLES / f"{event.__name__}.v{event.version}.json").read_text())
    written = Envelope(
        "1", "rondo/registry", datetime.now(UTC), value, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    )
    schema = headers.schema_of(BY_NAME[event.topic])
    jsonschema.validate(written.headers(), schema)
    assert written.headers().keys() == schema["properties"].keys()


def test_the_page_has_a_row_for_every_topic_and_its_links_lead_somewhere() -> None:
    page = (DOCUMENTS / "topics.md").read_text()
    assert all(f"| `{topic.name}` |" in page for topic in TOPICS)
    links = [part.split(")")[0] for part in page.split("](")[1:]]
    assert [link for link in links if not (DOCUMENTS / link).exists()] == []


@pytest.mark.parametrize(
    ("topic", "carried"),
    [
        ("models.promoted", True), ("predictions.requested", True), ("batches.submitted", True),
        ("predictions.failed", True), ("predictions.made", False), ("predictions.log", False),
        ("outcomes.observed", False), ("outcomes.log", False),
    ],
)  # fmt: skip
def test_a_trace_is_promised_where_it_is_carried(topic: str, carried: bool) -> None:  # noqa: FBT001
    """Answers and logs are written in micro-batches, which link the traces of their requests."""
    assert ("traceparent" in headers.schema_of(BY_NAME[topic])["properties"]) == carried
