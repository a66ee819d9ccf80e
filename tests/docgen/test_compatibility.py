"""Compatible and breaking changes of an event's schema."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.docgen.compatibility import Change, breaking_changes

OLD: dict[str, Any] = {
    "$defs": {"Part": {"type": "object", "properties": {"rows": {"type": "integer"}}, "required": ["rows"]}},
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "state": {"enum": ["loading", "available"], "type": "string"},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "detail": {"type": "string", "default": ""},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "by_name": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Part"}},
        "trigger": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}], "default": None},
    },
    "required": ["model", "state"],
}
BY_PATTERN = {"type": "object", "patternProperties": {"^[a-z]+$": {"$ref": "#/$defs/Part"}}, "$defs": OLD["$defs"]}


def changed(*path: str, to: Any) -> dict[str, Any]:
    """Return the schema with one place set. None deletes it."""
    new = copy.deepcopy(OLD)
    place = new
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return new


def of_object(default: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the schema of an event with an object that may be absent."""
    return {"type": "object", "properties": {"trainer": {"type": "object", "default": default, "properties": fields}}}


SEED, SIZE = {"type": "integer", "default": 7}, {"type": "integer", "default": 1}


def test_the_default_of_an_object_gains_a_new_field_with_its_own_default() -> None:
    old = of_object({"seed": 7}, seed=SEED)
    assert breaking_changes(old, of_object({"seed": 7, "size": 1}, seed=SEED, size=SIZE)) == []


@pytest.mark.parametrize(
    ("default", "fields"),
    [
        ({"seed": 7, "size": 2}, {"seed": SEED, "size": SIZE}),
        ({"seed": 8, "size": 1}, {"seed": SEED, "size": SIZE}),
        ({"seed": 7, "size": None}, {"seed": SEED, "size": {"type": "integer"}}),
        ({}, {"seed": SEED}),
    ],
    ids=["not its own", "another changes, too", "no default of its own", "a field is lost"],
)
def test_any_other_change_of_the_default_of_an_object_breaks(default: Any, fields: Any) -> None:
    found = breaking_changes(of_object({"seed": 7}, seed=SEED), of_object(default, **fields))
    assert [(change.kind, change.place) for change in found] == [("default", "trainer")]


def test_the_same_schema_breaks_nothing() -> None:
    assert breaking_changes(OLD, OLD) == []


@pytest.mark.parametrize(
    "new",
    [
        changed("properties", "note", to={"type": "string", "default": ""}),
        changed("$defs", "Part", "properties", "note", to={"type": "string"}),
        changed("title", to="Another title"),
        changed("properties", "model", to={"type": "string", "examples": ["a word of an open vocabulary"]}),
        changed("properties", "model", to={"type": "string", "description": "better words"}),
        changed("properties", "state", to={"enum": ["available", "loading"], "type": "string"}),
        changed("required", to=["state", "model"]),
        changed("properties", "trigger", "anyOf", to=[{"type": "null"}, {"$ref": "#/$defs/Part"}]),
    ],
    ids=[
        "optional field",
        "optional field of a part",
        "title",
        "examples",
        "description",
        "order of enum",
        "order of required",
        "order",
    ],
)
def test_a_compatible_change_breaks_nothing(new: dict[str, Any]) -> None:
    assert breaking_changes(OLD, new) == []


def test_a_definition_may_be_renamed() -> None:
    text = str(OLD).replace("Part", "Piece")
    assert breaking_changes(OLD, eval(text)) == []  # noqa: S307 - our own literal


@pytest.mark.parametrize(
    ("new", "kind", "place"),
    [
        (changed("properties", "detail", to=None), "removed", "detail"),
        (changed("required", to=["model", "state", "share"]), "became_required", "share"),
        (changed("required", to=["model"]), "became_optional", "state"),
        (changed("properties", "model", "type", to="integer"), "type", "model"),
        (changed("properties", "state", "enum", to=["available"]), "enum", "state"),
        (changed("properties", "state", "enum", to=["loading", "available", "new"]), "enum", "state"),
        (changed("properties", "share", "maximum", to=2), "maximum", "share"),
        (changed("properties", "share", "minimum", to=None), "minimum", "share"),
        (changed("properties", "detail", "default", to="?"), "default", "detail"),
        (changed("properties", "model", "pattern", to="^a"), "pattern", "model"),
        (changed("$defs", "Part", "properties", "rows", "type", to="number"), "type", "parts.[].rows"),
        (changed("properties", "trigger", "anyOf", to=[{"$ref": "#/$defs/Part"}]), "alternative_removed", "trigger"),
        (
            changed("properties", "model", to={"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "alternative_added",
            "model",
        ),
        (changed("additionalProperties", to=False), "part_replaced", "*"),
    ],
)
def test_a_breaking_change_has_its_kind_and_its_place(new: dict[str, Any], kind: str, place: str) -> None:
    assert (kind, place) in places(breaking_changes(OLD, new))


def places(changes: list[Change]) -> list[tuple[str, str]]:
    assert all(change.place in str(change) for change in changes)
    return [(change.kind, change.place) for change in changes]


def test_a_new_field_must_not_be_required() -> None:
    new = changed("properties", "note", to={"type": "string"})
    new["required"] = ["model", "state", "note"]
    assert places(breaking_changes(OLD, new)) == [("new_required", "note")]


def test_a_new_field_needs_readers_that_ignore_it() -> None:
    closed = changed("additionalProperties", to=False)
    new = {**closed, "properties": {**closed["properties"], "note": {"type": "string"}}}
    assert places(breaking_changes(closed, new)) == [("new_at_closed_readers", "note")]


def test_a_definition_that_holds_itself_is_compared_once() -> None:
    tree = {
        "$defs": {
            "Tree": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Tree"}, "rows": {"type": "integer"}}}
        },
        "$ref": "#/$defs/Tree",
    }
    other = copy.deepcopy(tree)
    other["$defs"]["Tree"]["properties"]["rows"]["type"] = "string"  # type: ignore[index]
    assert breaking_changes(tree, tree) == []
    assert places(breaking_changes(tree, other)) == [("type", "rows")]


def test_what_is_behind_a_pattern_of_names_is_compared() -> None:
    other = copy.deepcopy(BY_PATTERN)
    other["$defs"]["Part"]["properties"]["rows"]["type"] = "string"
    assert breaking_changes(BY_PATTERN, BY_PATTERN) == []
    assert places(breaking_changes(BY_PATTERN, other)) == [("type", "*.rows")]
    renamed = {**BY_PATTERN, "patternProperties": {"^[A-Z]+$": {"$ref": "#/$defs/Part"}}}
    assert len(breaking_changes(BY_PATTERN, renamed)) == 2


# Schemas like those of events, for what must hold of all of them.
leaves: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"type": "string"}, {"type": "integer"}, {"type": "number", "minimum": 0}, {"enum": ["a", "b"], "type": "string"}]
)
names = st.sampled_from(["model", "rows", "state", "detail"])


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Return schemas of objects with some of their fields required."""
    fields = st.dictionaries(names, inner, max_size=4)
    return fields.flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties)) if properties else st.nothing()).map(
            lambda needed: {"type": "object", "properties": properties, "required": sorted(needed)}
        )
    )


parts: st.SearchStrategy[dict[str, Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        objects(inner),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda one: {"anyOf": [one, {"type": "null"}]}),
    ),
    max_leaves=6,
)
schemas = objects(parts)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a writer of this schema sends: known fields only."""
    if "anyOf" in schema:
        return st.one_of(*(values(branch) for branch in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "object":
        needed = {name: values(part) for name, part in schema["properties"].items() if name in schema["required"]}
        free = {name: values(part) for name, part in schema["properties"].items() if name not in schema["required"]}
        return st.fixed_dictionaries(needed, optional=free)
    if schema["type"] == "array":
        return st.lists(values(schema["items"]), max_size=2)
    of_type: dict[str, st.SearchStrategy[Any]] = {
        "string": st.just("text"),
        "integer": st.just(3),
        "number": st.just(0.5),
        "null": st.none(),
    }
    return of_type[schema["type"]]


@given(schemas)
def test_every_schema_may_follow_itself(schema: dict[str, Any]) -> None:
    assert breaking_changes(schema, schema) == []


@given(schemas, parts)
def test_every_schema_may_gain_an_optional_field_but_not_lose_it(schema: dict[str, Any], part: dict[str, Any]) -> None:
    wider = {**schema, "properties": {**schema["properties"], "added": part}}
    assert breaking_changes(schema, wider) == []
    assert breaking_changes(wider, schema) != []


@pytest.mark.medium
@given(schemas, schemas, st.data())
def test_what_is_compatible_is_read_in_both_directions(
    old: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    """The rules are only as good as this: a message of either schema is valid under the other."""
    if breaking_changes(old, new):
        new = {**old, "properties": {**old["properties"], "added": data.draw(parts)}}
    assert breaking_changes(old, new) == []
    jsonschema.validate(data.draw(values(old)), new)
    jsonschema.validate(data.draw(values(new)), old)


@given(schemas, schemas, schemas)
def test_compatibility_is_transitive(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    if not breaking_changes(one, two) and not breaking_changes(two, three):
        assert breaking_changes(one, three) == []


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        ({"type": "string"}, set()),
        ({"type": "string", "pattern": "^[^\\x00]*$"}, set()),
        ({"type": "string", "pattern": "^l"}, {"enum", "pattern"}),
        ({"type": "string", "enum": ["loading", "available", "new"]}, {"enum"}),
        ({"type": "integer"}, {"type"}),
    ],
)
def test_words_become_a_text_only_at_a_place_that_is_opened(new: dict[str, Any], kinds: set[str]) -> None:
    opened = changed("properties", "state", to=new)
    assert {change.kind for change in breaking_changes(OLD, opened, {"state"})} == kinds
    assert "enum" in {change.kind for change in breaking_changes(OLD, opened, {"detail"})}
