"""Compares two JSON Schemas of an event, and checks that they are compatible (FULL_TRANSITIVE).

Full: a reader with the old schema can read messages of a writer with the new one, because services are not upgraded at
once. A reader with the new schema can read messages of the old one, which Kafka keeps for weeks, and compacted topics
forever. Transitive: this holds for every older schema, because a log has messages of all of them.

Readers ignore unknown fields, so a new optional field is a compatible change. All other changes are breaking:

- A removed or renamed field: its readers do not find it, and a later field of that name would meet old values.
- A field that becomes required (old messages lack it) or optional (new messages may lack it, at old readers).
- Another type, bound, pattern or format: a tighter one refuses old messages, a looser one passes what old readers
  refuse.
- An enum that loses a value (old messages have it) or gains one (old readers refuse it). Words that classify have
  open vocabularies instead (`rondo.contracts.vocabularies`): texts whose known values are examples, which may change.
  An enum may become such a text only at the places that are given as `opened`.
- Another default: an absent field would have another meaning than when it was written. A default that is an object may
  gain the new fields of that object, each with its own default.

Titles, descriptions, examples and the names of definitions may change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Schema = dict[str, Any]
_WORDS_ONLY = {"title", "description", "examples", "deprecated", "$comment", "$schema", "$id", "$defs"}
_UNORDERED = {"enum", "type"}
_COMPARED_APART = {
    "$ref", "properties", "required", "anyOf", "oneOf", "items", "additionalProperties", "patternProperties",
    "discriminator",
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A breaking change. `kind` is one of the words below, or the keyword of JSON Schema whose value differs.

    `removed`, `new_required`, `new_at_closed_readers`, `became_required`, `became_optional`, `part_replaced`,
    `alternative_removed`, `alternative_added`.
    """

    kind: str
    place: str
    message: str

    def __str__(self) -> str:
        return self.message


def breaking_changes(old: Schema, new: Schema, opened: Collection[str] = ()) -> list[Change]:
    """Return the breaking changes from `old` to `new`. Empty if the schemas are compatible.

    `opened` are places, as in `Change.place`, at which the words of an enum may become a text that allows all of them.
    Both are JSON Schemas (2020-12) as pydantic writes them: `$ref` into `$defs`, closed types, no `allOf`.
    """
    return list(dict.fromkeys(_Comparison(old, new, opened).of(old, new, "", frozenset())))


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@dataclass(frozen=True)
class _Comparison:
    """Compares two whole schemas, in which the compared parts find their definitions."""

    old: Schema
    new: Schema
    opened: Collection[str]

    def of(self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Change]:
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if pair in seen:
            return  # a definition that contains itself, which is already being compared
        seen = seen | {pair} if any(pair) else seen
        old, new = _resolved(old, self.old), _resolved(new, self.new)
        if path in self.opened and _is_opened(old, new):
            old = {key: value for key, value in old.items() if key != "enum"}
            old |= {"pattern": new["pattern"]} if "pattern" in new else {}
        yield from _keywords(old, new, path)
        yield from self._fields(old, new, path, seen)
        yield from self._alternatives(old, new, path, seen)
        for keyword, name in (("items", "[]"), ("additionalProperties", "*")):
            yield from self._part(old.get(keyword, True), new.get(keyword, True), _at(path, name), seen)
        before, after = old.get("patternProperties", {}), new.get("patternProperties", {})
        for pattern in sorted(before.keys() | after.keys()):
            yield from self._part(before.get(pattern, True), after.get(pattern, True), _at(path, "*"), seen)

    def _part(self, old: Any, new: Any, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Change]:
        if isinstance(old, dict) and isinstance(new, dict):
            yield from self.of(old, new, path, seen)
        elif old != new:
            yield Change("part_replaced", path, f"`{path}` changed from {old} to {new}")

    def _fields(self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before.keys() - after.keys():
            place = _at(path, name)
            yield Change("removed", place, f"`{place}` was removed or renamed: readers still look for it")
        needed_before, needed_after = set(old.get("required", [])), set(new.get("required", []))
        for name in after.keys() - before.keys():
            place = _at(path, name)
            if name in needed_after:
                message = f"`{place}` is new and required: messages in the log lack it; give it a default"
                yield Change("new_required", place, message)
            elif old.get("additionalProperties", True) is not True:
                message = f"`{place}` is new, and readers of the old schema check or refuse further fields"
                yield Change("new_at_closed_readers", place, message)
        for name in before.keys() & after.keys():
            place = _at(path, name)
            if name in needed_after - needed_before:
                yield Change("became_required", place, f"`{place}` became required: messages in the log may lack it")
            if name in needed_before - needed_after:
                yield Change("became_optional", place, f"`{place}` became optional: readers of the old schema need it")
            yield from self.of(before[name], after[name], place, seen)

    def _alternatives(self, old: Schema, new: Schema, path: str, seen: frozenset[tuple[str, str]]) -> Iterator[Change]:
        before = [*old.get("anyOf", []), *old.get("oneOf", [])]
        after = [*new.get("anyOf", []), *new.get("oneOf", [])]
        for branch in list(before):
            same = next((other for other in after if not list(self.of(branch, other, path, seen))), None)
            if same is not None:
                before.remove(branch)
                after.remove(same)
        if len(before) == len(after) == 1:
            yield from self.of(before[0], after[0], path, seen)
        else:
            for branch in before:
                yield Change("alternative_removed", path, f"`{path}` no longer may be {_short(branch)}")
            for branch in after:
                message = f"`{path}` may now be {_short(branch)}, which older readers refuse"
                yield Change("alternative_added", path, message)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Replace a reference by its definition. Keywords next to `$ref`, such as a default, are kept."""
    if "$ref" not in schema:
        return schema
    definition = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return _resolved(definition, root) | {key: value for key, value in schema.items() if key != "$ref"}


def _is_opened(old: Schema, new: Schema) -> bool:
    """Return whether the words of an enum became a text that allows each of them."""
    words = old.get("enum")
    if not words or "enum" in new or not all(isinstance(word, str) for word in words):
        return False
    return all(re.search(new.get("pattern", ""), word) for word in words)


def _keywords(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    """Compare keywords that are not structures. A difference in an unknown keyword counts as breaking."""
    for keyword in sorted((old.keys() | new.keys()) - _WORDS_ONLY - _COMPARED_APART):
        before, after = _comparable(keyword, old), _comparable(keyword, new)
        if before != after and not (keyword == "default" and _has_gained_fields(old, new)):
            change = f"changed from {_text(keyword, old)} to {_text(keyword, new)}"
            yield Change(keyword, path, f"{keyword} of `{path or 'the event'}` {change}")


def _has_gained_fields(old: Schema, new: Schema) -> bool:
    """Return whether the default of an object only differs by new fields that have their own defaults."""
    before, after = old.get("default"), new.get("default")
    if not isinstance(before, dict) or not isinstance(after, dict) or not before.keys() <= after.keys():
        return False
    if any(repr(before[name]) != repr(after[name]) for name in before):
        return False
    gained = {name: new.get("properties", {}).get(name, {}) for name in after.keys() - before.keys()}
    return all("default" in field and repr(field["default"]) == repr(after[name]) for name, field in gained.items())


def _comparable(keyword: str, schema: Schema) -> Any:
    value = schema.get(keyword)
    if keyword in _UNORDERED and isinstance(value, list):
        return sorted(repr(item) for item in value)
    return repr(value) if keyword in schema else None  # repr distinguishes 1 from True, and no default from None


def _text(keyword: str, schema: Schema) -> str:
    return repr(schema[keyword]) if keyword in schema else "nothing"


def _short(schema: Schema) -> str:
    return str(schema.get("$ref", "").removeprefix("#/$defs/") or schema.get("type") or schema)
