"""The part of the YAML 1.2 core schema that a spec needs, with the line of each value.

PyYAML follows YAML 1.1, where the key `on` is true, `NO` (Norway) is false, `12:30` is 750 and `1e-3` is a text.
Anchors are refused, because a small file can expand to any size with them. Tags are refused, because the spec defines
the types of its values. Decision 17 explains the choice of PyYAML instead of ruamel.yaml.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.events import AliasEvent
from yaml.reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
_MAX_DEPTH = 20
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class YamlError(ValueError):
    """The text is not the YAML of a spec. The message names the line."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own interface, filled below
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node. Raise an error for an alias, a tag, and a node that is nested too deeply for a spec."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if self.check_event(AliasEvent):
            problem = f"the alias *{event.anchor} can't be used here: write the value out"
            raise ComposerError(None, None, problem, event.start_mark)
        if (tag := getattr(event, "tag", None)) is not None:
            problem = f"the tag {tag.replace('tag:yaml.org,2002:', '!!')} can't be used here: write the value alone"
            raise ComposerError(None, None, problem, event.start_mark)
        if self.depth > _MAX_DEPTH:
            raise ComposerError(None, None, f"nested more than {_MAX_DEPTH} deep", event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Parse a whole number. `0o` and `0x` set the base, a leading zero does not."""
        text: str = node.value
        digits = text.lstrip("+-")
        if len(digits) > 18:  # noqa: PLR2004 - what fits into 64 bits whatever the digits
            raise ConstructorError(None, None, "a number too large for 64 bits", node.start_mark)
        return int(text, 0) if digits[:2] in {"0o", "0x"} else int(text, 10)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(f"^(?:{_INT.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load(text: str) -> tuple[Any, dict[Path, int]]:
    """Parse one document. Return its content, and the line (from 1) of every key and item by its path.

    Raises:
        YamlError: the text is not valid YAML, has a duplicate key, or uses what a spec must not use.

    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if duplicates := list(_duplicates(node)):
            raise YamlError("\n".join(duplicates))
        content = loader.construct_document(node) if node is not None else None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(
            f"line {line}: not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed"
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(f"line {line}: not valid YAML: {error.problem}") from None
    return content, dict(_lines(node))


def _lines(node: yaml.Node | None, path: Path = ()) -> Iterator[tuple[Path, int]]:
    if node is None:
        return
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))


def _duplicates(node: yaml.Node | None) -> Iterator[str]:
    """Yield an error for each duplicate key. YAML parsers let the last value win without an error."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield f"line {key.start_mark.line + 1}: `{key.value}` is a duplicate key; keep one"
                seen.add(key.value)
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicates(item)
