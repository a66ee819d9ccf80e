"""Read `rondo.yaml`: unknown keys, wrong types and contradictions are errors that name the line."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from rondo.contracts.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024


class _Yaml12Loader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1, where the key `on` means true; the spec follows 1.2, where it is a word."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Yaml12Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


class SpecError(ValueError):
    """The spec can't be used. `problems` holds one line of text for each fault, with its place."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join((f"{source} can't be used:", *(f"  {p}" for p in problems))))


def parse_spec(text: str, source: str = "rondo.yaml") -> ModelSpec:
    """Read a model spec from YAML text; `source` names the file in errors.

    Raises:
        SpecError: with every fault that was found, each with its line.

    """
    if len(text.encode()) > MAX_BYTES:
        raise SpecError(source, (f"it is larger than {MAX_BYTES // 1024} KiB: this can't be a model spec",))
    try:
        node = yaml.compose(text, Loader=_Yaml12Loader)
        content = yaml.load(text, Loader=_Yaml12Loader)  # noqa: S506 - a SafeLoader, see above
    except yaml.YAMLError as error:
        raise SpecError(source, (_yaml_problem(error),)) from None
    if not isinstance(content, dict):
        raise SpecError(source, ("line 1: expected `model: <name>` and the other parts; see examples/flights/rondo.yaml",))
    lines = dict(_lines(node))
    if duplicates := [problem for problem in _duplicates(node)]:
        raise SpecError(source, tuple(duplicates))
    try:
        return ModelSpec.model_validate(content)
    except ValidationError as error:
        raise SpecError(source, tuple(_problem(fault, lines) for fault in error.errors())) from None


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    return f"{where}not valid YAML: {getattr(error, 'problem', None) or error}"


def _lines(node: yaml.Node | None, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Yield the line (from 1) of every key and item."""
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
    """YAML lets a later key replace an earlier one in silence; here that is a fault."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"line {key.start_mark.line + 1}: `{key.value}` stands twice; keep one"
            seen.add(key.value)
            yield from _duplicates(value)


def _problem(fault: Any, lines: dict[tuple[str | int, ...], int]) -> str:
    place = fault.get("ctx", {}).get("path", fault["loc"])
    path: tuple[str | int, ...] = tuple(part for part in place if part != "[key]")
    line = next(lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines)
    name = ".".join(str(part) for part in path)
    if fault["type"] == "extra_forbidden":
        return f"line {line}: `{name}` is not a known key{_suggestion(path)}"
    if fault["type"] == "missing":
        return f"line {line}: `{name}` is missing"
    message = fault["msg"].removeprefix("Value error, ")
    return f"line {line}: {f'`{name}`: ' if name else ''}{message}"


def _suggestion(path: tuple[str | int, ...]) -> str:
    known = _known_keys(path[:-1])
    close = get_close_matches(str(path[-1]), known, n=1)
    return f": did you mean `{close[0]}`?" if close else f"; known here: {', '.join(known)}"


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = ModelSpec
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # a feature's own name, under `features`
        arguments = (field.annotation, *getattr(field.annotation, "__args__", ()))
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), model)
    return [field.alias or name for name, field in model.model_fields.items()]
