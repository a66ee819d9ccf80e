"""Parses the files of specs. Unknown keys, wrong types and contradictions are errors with their line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from rondo.contracts.spec import cross_checks, support_checks, yaml
from rondo.contracts.spec.cross_checks import Problem
from rondo.contracts.spec.data import SpecSection
from rondo.contracts.spec.dataset.checks import dataset_problems
from rondo.contracts.spec.dataset.section import KIND, DatasetSpec
from rondo.contracts.spec.model import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic_core import ErrorDetails

_Spec = TypeVar("_Spec", bound=SpecSection)
MAX_BYTES = 256 * 1024
_EMPTY = "line 1: expected `model: <name>` and the other parts; see examples/flights/rondo.yaml"
# Messages in the terms of YAML (lists, keys, quotes). They replace those of pydantic, which are in the terms of Python.
_MESSAGES = {
    "tuple_type": "expected a list, such as [a, b]",
    "dict_type": "expected keys and their values, such as {key: value}",
    "model_type": "expected keys and their values, such as {key: value}",
    "string_type": "expected a text: put it in quotes",
    "string_unicode": "holds a lone surrogate, which is not a character: remove it",
    "too_short": "is empty; give at least one",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
}
# By the type of pydantic's error: the words before the bound of a number or of a length, and the key of the bound in
# the error's context.
_BOUNDS = {
    "less_than": ("must be below {}", "lt"),
    "less_than_equal": ("must be at most {}", "le"),
    "greater_than": ("must be above {}", "gt"),
    "greater_than_equal": ("must be at least {}", "ge"),
    "multiple_of": ("must be a multiple of {}", "multiple_of"),
    "string_too_short": ("must have at least {} characters", "min_length"),
    "string_too_long": ("must have at most {} characters", "max_length"),
    "too_long": ("must have at most {} entries", "max_length"),
}
_NAMES = {
    "^[a-z]": "expected a name of a-z, 0-9, - and _, at most 63 long, that begins with one of a-z",
    "^[A-Za-z_]": "expected a name of A-Z, a-z, 0-9 and _, at most 63 long, that begins with no digit",
    r"^[\w.]+:": "expected package.module:function",
}


class SpecError(ValueError):
    """The spec can't be used. `problems` has one line of text for each problem, with its line number."""

    code: ClassVar[str] = "invalid_spec"

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join((f"{source} can't be used:", *(f"  {p}" for p in problems))))

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of an HTTP problem document in addition to the message."""
        return {"problems": list(self.problems)}


def parse_spec(text: str, source: str = "rondo.yaml") -> ModelSpec:
    """Parse a model spec from YAML text. `source` names the file in errors.

    Raises:
        SpecError: the text has problems. All of them are reported, with their lines.

    """
    return _parse_model(*_content(text, source), source)


def parse_dataset(text: str, source: str = "dataset.yaml") -> DatasetSpec:
    """Parse a dataset spec from YAML text. `source` names the file in errors.

    Raises:
        SpecError: the text has problems. All of them are reported, with their lines.

    """
    return _parse(DatasetSpec, dataset_problems, *_content(text, source), source)


def parse_any(text: str, source: str = "rondo.yaml") -> ModelSpec | DatasetSpec:
    """Parse a dataset spec if the key `kind` is `dataset`, and a model spec if the key is absent.

    Raises:
        SpecError: the text has problems. All of them are reported, with their lines.

    """
    content, lines = _content(text, source)
    if content.get("kind") == KIND:
        return _parse(DatasetSpec, dataset_problems, content, lines, source)
    return _parse_model(content, lines, source)


def _content(text: str, source: str) -> tuple[dict[str, Any], dict[yaml.Path, int]]:
    """Return the keys of a file, and the line of each key."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise SpecError(source, (f"it is larger than {MAX_BYTES // 1024} KiB: this can't be a spec",))
    try:
        content, lines = yaml.load(text)
    except yaml.YamlError as error:
        raise SpecError(source, tuple(str(error).splitlines())) from None
    if not isinstance(content, dict):
        raise SpecError(source, (_EMPTY,))
    return content, lines


def _parse_model(content: dict[str, Any], lines: dict[yaml.Path, int], source: str) -> ModelSpec:
    if "kind" in content:
        found = f"`kind: {KIND}` is that of a dataset spec; a model spec has no `kind`: leave it out"
        if content["kind"] == KIND:
            found = "this is a dataset spec, and a model spec is needed here"
        raise SpecError(source, (_described(Problem(("kind",), found), lines),))
    return _parse(ModelSpec, _model_problems, content, lines, source)


def _model_problems(content: cross_checks.Plain) -> Iterable[Problem]:
    return (*support_checks.unsupported(content), *cross_checks.contradictions(content))


def _parse(
    kind: type[_Spec],
    check: Callable[[cross_checks.Plain], Iterable[Problem]],
    content: dict[str, Any],
    lines: dict[yaml.Path, int],
    source: str,
) -> _Spec:
    """Return the content as a spec of a kind. `check` yields contradictions between the parts."""
    errors: list[ErrorDetails] = []
    spec: _Spec | None = None
    try:
        spec = kind.model_validate(content, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors()
    plain = content if spec is None else spec.model_dump(by_alias=True)
    # The class of a model spec reports contradictions, too.
    problems = list(dict.fromkeys((*(_problem(error, kind) for error in errors), *check(plain))))
    if spec is None or problems:
        ordered = sorted(problems, key=lambda problem: _line(problem.path, lines))
        raise SpecError(source, tuple(_described(problem, lines) for problem in ordered))
    return spec


def _line(path: yaml.Path, lines: dict[yaml.Path, int]) -> int:
    return next(lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines)


def _described(problem: Problem, lines: dict[yaml.Path, int]) -> str:
    name = ".".join(str(part) for part in problem.path)
    place = f"`{name}`{problem.separator}" if name else ""
    return f"line {_line(problem.path, lines)}: {place}{problem.message}"


def _problem(error: ErrorDetails, kind: type[BaseModel]) -> Problem:
    path: yaml.Path = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return Problem(path, f"is not a known key{_suggestion(path, kind)}", " ")
    if error["type"] == "missing":
        return Problem(path, "is missing", " ")
    return Problem(path, _message(error))


def _message(error: ErrorDetails) -> str:
    """Return the expected value in the terms of a YAML file."""
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        return f"{error['input']!r} is none of {context['expected'].replace(' or ', ', ')}"
    if error["type"] == "string_pattern_mismatch":
        return next(words for start, words in _NAMES.items() if context["pattern"].startswith(start))
    if bound := _BOUNDS.get(error["type"]):
        text, key = bound
        limit = context[key]
        return text.format(f"{limit:g}" if isinstance(limit, float) else limit)
    return _MESSAGES.get(error["type"]) or error["msg"].removeprefix("Value error, ")


def _suggestion(path: yaml.Path, kind: type[BaseModel]) -> str:
    known = _known_keys(path[:-1], kind)
    close = get_close_matches(str(path[-1]), known, n=1)
    return f": did you mean `{close[0]}`?" if close else f"; known here: {', '.join(known)}"


def _known_keys(path: yaml.Path, model: type[BaseModel]) -> list[str]:
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # the name of a feature or a column, which has no entry in the schema
        arguments = (field.annotation, *getattr(field.annotation, "__args__", ()))
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), model)
    return [field.alias or name for name, field in model.model_fields.items()]
