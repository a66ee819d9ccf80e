"""No text that an event or a spec holds has a character that PostgreSQL or UTF-8 refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from rondo.contracts.spec.file import SpecError, parse_spec
from rondo.contracts.text import REPLACEMENT, Message, Text, storable, unstorable
from rondo.contracts.topics import EVENTS
from rondo.docgen.schemas import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.contracts.events.base import Event

UNSTORABLE = {"NUL": ("\x00", "U+0000"), "high surrogate": ("\ud800", "U+D800"), "low surrogate": ("\udfff", "U+DFFF")}
each_character = pytest.mark.parametrize(("character", "name"), UNSTORABLE.values(), ids=UNSTORABLE.keys())
SPEC = """\
model: churn
data: {dataset: customers, entity: customer_id, event_time: asked_at, label: left}
features: {plan: {type: category, values: [a, b]}, months: {type: int}}
"""


@each_character
def test_a_text_with_an_unstorable_character_is_refused_and_a_message_keeps_the_rest(character: str, name: str) -> None:
    assert (unstorable(f"a{character}b"), storable(f"a{character}b")) == (name, f"a{REPLACEMENT}b")
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Text).validate_python(f"a{character}b")
    assert [(fault["type"], fault["ctx"]) for fault in caught.value.errors()] == [
        ("unstorable_text", {"character": name})
    ]
    assert TypeAdapter(Message).validate_python(f"a{character}b") == f"a{REPLACEMENT}b"


@pytest.mark.parametrize("text", ["", "Ünïcode", "\U0001f600", "\x01\x1f\x7f", REPLACEMENT])
def test_every_other_text_is_kept(text: str) -> None:
    assert (unstorable(text), TypeAdapter(Text).validate_python(text)) == (None, text)


def changed(value: Any, character: str) -> Iterator[Any]:
    """Yield the JSON value with a character added to one of its texts or keys, once for each."""
    if isinstance(value, str):
        yield value + character
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in changed(item, character))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (value | {key: other} for other in changed(item, character))
            yield {name + character if name == key else name: each for name, each in value.items()}


@pytest.mark.medium
@each_character
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_no_event_holds_an_unstorable_character(event: type[Event], character: str, name: str) -> None:
    example = json.loads((EXAMPLES / f"{event.__name__}.v{event.version}.json").read_text())
    variants = list(changed(example, character))
    assert len(variants) > 1
    for variant in variants:
        try:
            read = event.model_validate(variant)
        except ValidationError:
            continue
        assert character not in repr_of(read), f"{event.__name__} keeps {name}: {variant}"


def repr_of(event: Event) -> str:
    return str(json.dumps(event.model_dump(mode="python", by_alias=True), default=str, ensure_ascii=False))


@pytest.mark.parametrize("escape", [r"\0", r"\ud800"])
def test_a_spec_file_with_an_unstorable_value_is_refused_with_its_line(escape: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC.replace("[a, b]", f'[a, "b{escape}"]'))
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["line 3"]
    assert "features.plan.values.1" in caught.value.problems[0]
