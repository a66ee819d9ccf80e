"""The AsyncAPI 3.0 document of all topics and events, from the table of topics and the classes.

`python -m rondo.docgen.asyncapi` writes `docs/events/` and `docs/spec.md`. `docs/events/` has `asyncapi.yaml`, the JSON
Schema of every event, and `topics.md`. The same code always gives the same bytes, and a test compares the committed
files with them.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from rondo.contracts.events import cloudevents
from rondo.contracts.topics import ARROW_TOPICS, BY_NAME, DEAD_LETTER_TOPICS, EVENTS, TOPICS, Topic
from rondo.docgen import headers
from rondo.docgen.schemas import PUBLISHED, Published, WireSchema, schema_of
from rondo.docgen.spec_page import spec_page
from rondo.docgen.topics_page import topics_page

DOCUMENTS = Path(__file__).parents[4] / "docs" / "events"
SPEC_PAGE = DOCUMENTS.parent / "spec.md"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
_ABOUT = (
    "Five services exchange typed events over Kafka; applications stream requests and outcomes in and predictions out. "
    "Every topic has one writing service. Readers ignore fields they do not know, and writers only add optional ones; "
    "a breaking change is a new class on a `.v2` topic."
)
Json = dict[str, Any]


def document() -> Json:
    """Return the AsyncAPI document as plain values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rondo",
            "version": version("rondo-contracts"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": cloudevents.CONTENT_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "variables": {"bootstrap": {"default": "localhost:9092", "description": "RONDO_KAFKA"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {"messages": {_message_name(t): _message(t) for t in TOPICS}, "schemas": _schemas()},
    }


def _channel(topic: Topic) -> Json:
    name = _message_name(topic)
    settings = {"cleanup.policy": [topic.cleanup], "max.message.bytes": topic.max_message_bytes}
    if topic.cleanup == "delete":
        settings["retention.ms"] = int(topic.retention.total_seconds() * 1000)
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {"partitions": topic.partitions, "topicConfiguration": settings, "bindingVersion": "0.5.0"}
        },
    }


def _operations(topic: Topic) -> list[tuple[str, Json]]:
    """Return an operation for each writer and reader of a topic, with the application as its tag."""
    acts = [("send", topic.writer), *(("receive", reader) for reader in topic.readers)]
    return [
        (
            f"{who}.{action}.{topic.name}",
            {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}, "tags": [{"name": who}]},
        )
        for action, who in acts
    ]


def _message_name(topic: Topic) -> str:
    return topic.event.__name__ if topic.event is not None else topic.name


def _message(topic: Topic) -> Json:
    return {
        "name": topic.event.event_type() if topic.event is not None else topic.name,
        "summary": topic.description,
        "contentType": ARROW_STREAM if topic.name in ARROW_TOPICS else _content_type(topic),
        "headers": headers.schema_of(topic),
        "payload": _payload(topic),
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def _content_type(topic: Topic) -> str:
    return cloudevents.CONTENT_TYPE if topic.event is not None else "application/octet-stream"


def _payload(topic: Topic) -> Json:
    if topic.event is not None:
        return {"$ref": f"#/components/schemas/{topic.event.__name__}"}
    if topic.name in DEAD_LETTER_TOPICS:
        return {"description": "The original value, byte for byte; it need not be JSON."}
    return {"description": BY_NAME[topic.name].description, "type": "string", "format": "binary"}


def _schemas() -> Json:
    pairs = [(event, "serialization") for event in EVENTS]
    _, definitions = models_json_schema(
        pairs,  # type: ignore[arg-type] # a list of pairs with a literal each
        ref_template="#/components/schemas/{model}",
        schema_generator=WireSchema,
    )
    schemas: Json = _named_discriminators(definitions["$defs"])
    return dict(sorted(schemas.items()))


def _named_discriminators(node: Any) -> Any:
    """Convert discriminators from the object of OpenAPI and pydantic to the property name of AsyncAPI."""
    if isinstance(node, list):
        return [_named_discriminators(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _named_discriminators(value) for key, value in node.items()}
    if isinstance(named := plain.get("discriminator"), dict) and "mapping" in named:
        plain["discriminator"] = named["propertyName"]
    return plain


class _Plain(yaml.SafeDumper):
    """Writes repeated values again, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's interface
        """Never alias."""
        return True


def documents() -> dict[str, str]:
    """Return the text of every generated file by its path under `docs/events/`."""
    head = "# Generated by `make docs` from contracts/rondo/contracts: change the classes, not this file.\n"
    body = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    schemas = {f"schemas/{_schema_file(event)}": _json(schema_of(event)) for event in PUBLISHED}
    return {"asyncapi.yaml": head + body, "topics.md": topics_page(), **schemas}


def _schema_file(event: Published) -> str:
    return f"{event.__name__}.v{event.version}.json"


def _json(value: Json) -> str:
    return json.dumps(value, indent=2) + "\n"


def main() -> int:
    """Write every document, and delete the schemas of events that no longer exist."""
    wanted = documents()
    for stale in {*DOCUMENTS.glob("schemas/*.json")} - {DOCUMENTS / name for name in wanted}:
        stale.unlink()
    for name, text in wanted.items():
        path = DOCUMENTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    SPEC_PAGE.write_text(spec_page(), encoding="utf-8")
    sys.stdout.write(f"wrote {len(wanted)} files in {DOCUMENTS.relative_to(DOCUMENTS.parents[1])}, and docs/spec.md\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
