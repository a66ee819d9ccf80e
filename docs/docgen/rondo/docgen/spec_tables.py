"""The cells of a table of keys, from JSON Schema: the kind of value, the default, the meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Json = dict[str, Any]
_COLUMN = "^[A-Za-z_]"
_WORDS = {
    "^[a-z]": "a name",
    _COLUMN: "a column",
    r"^(\d+": "a duration",
    r"^[\w.]+:": "`package.module:name`",
    r"^[^\x00]": "a text",
}
_BELOW = {
    "patternProperties": "keys and values, below",
    "$ref": "keys, below",
}
_SIMPLE = {"string": "a text", "boolean": "true or false"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    names = tuple(head)
    return "\n".join(f"| {' | '.join(line)} |" for line in (names, ("---",) * len(names), *rows))


def words(node: Json) -> str:
    """Return a description with each of its paragraphs in one line."""
    return "\n\n".join(" ".join(part.split()) for part in node.get("description", "").split("\n\n"))


def kind(node: Json) -> str:
    if "anyOf" in node:
        return " or ".join(_alternatives(node["anyOf"]))
    if values := [node["const"]] if "const" in node else node.get("enum") or node.get("examples"):
        return ", ".join(f"`{value}`" for value in values)
    if "pattern" in node:
        return next(words for start, words in _WORDS.items() if node["pattern"].startswith(start))
    if "items" in node:
        return "a list of values" if "anyOf" in node["items"] else f"a list, each item {kind(node['items'])}"
    for values in (values for key, values in node.get("patternProperties", {}).items() if key.startswith(_COLUMN)):
        return "for each column its keys, below" if "$ref" in values else f"for each column {kind(values)}"
    below = next((words for mark, words in _BELOW.items() if mark in node), None)
    return below or _SIMPLE.get(node["type"]) or number(node)


def _alternatives(nodes: Iterable[Json]) -> list[str]:
    kinds = [kind(each) for each in nodes if each != {"type": "null"}]
    # A whole number is also a number.
    return [each for each in kinds if each != "a whole number" or "a number" not in kinds]


def number(node: Json) -> str:
    """Return the bounds of a number."""
    what = "a whole number" if node["type"] == "integer" else "a number"
    if "minimum" in node and "maximum" in node:
        return f"{what} from {_figure(node['minimum'])} to {_figure(node['maximum'])}"
    bounds = {"exclusiveMinimum": "above {}", "exclusiveMaximum": "below {}", "minimum": "{} or more"}
    texts = [words.format(_figure(node[bound])) for bound, words in bounds.items() if bound in node]
    return ", ".join((what, " and ".join(texts))) if texts else what


def _figure(value: float) -> str:
    return f"{int(value)}" if value == int(value) else f"{value:g}"


def default(key: str, node: Json, needed: Iterable[str]) -> str:
    if key in needed:
        return "(needed)"
    value = node.get("default")
    if value in (None, [], {}) or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
