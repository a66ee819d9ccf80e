"""Events of a newer release: every word of an open vocabulary is unknown to this release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from rondo.docgen.schemas import EXAMPLES, schema_of

if TYPE_CHECKING:
    from rondo.contracts.events.base import Event
    from rondo.contracts.training_evidence import Evidence

E = TypeVar("E", "Event", "Evidence")
WORD = "from-the-future"


def example_of(event: type[E]) -> dict[str, Any]:
    """Return the committed example of an event as JSON."""
    text = (EXAMPLES / f"{event.__name__}.v{event.version}.json").read_text(encoding="utf-8")
    example: dict[str, Any] = json.loads(text)
    return example


def with_unknown_words(event: type[E], **changes: Any) -> E:
    """Return the example of an event with every open word replaced by `WORD`, and then the given fields."""
    schema = schema_of(event)
    return event.model_validate(_replaced(example_of(event), schema, schema.get("$defs", {})) | changes)


def _replaced(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]] | schema
    if isinstance(value, str):
        return WORD if "examples" in schema else value
    if isinstance(value, list):
        return [_replaced(item, schema.get("items", {}), definitions) for item in value]
    if isinstance(value, dict):
        branches = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        every = [schema, *(definitions[b["$ref"].rpartition("/")[2]] for b in branches if "$ref" in b)]
        fields = {name: field for part in every for name, field in part.get("properties", {}).items()}
        values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties", {})][0]
        return {name: _replaced(item, fields.get(name, values), definitions) for name, item in value.items()}
    return value
