"""A field of an event that a service fills with constants has words, so it must have an open vocabulary.

A constant is followed from where the event is made to literals, module constants and enums, through local variables,
through the parameters of functions and the attributes of errors, and by the type of a field of the same name in the
package that makes the event.
"""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest
from pydantic import AfterValidator, BaseModel
from rondo.contracts.text import checked
from rondo.docgen.schemas import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

pytestmark = pytest.mark.medium
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("contracts", "ingestion", "registry", "trainer", "monitor", "serving")
DEEPEST = 4


class Place(NamedTuple):
    """A node of the source of a module, and the function around it."""

    module: str
    node: ast.expr
    function: ast.FunctionDef | ast.AsyncFunctionDef | None


def annotations_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from annotations_of(part)


def models_of(annotation: Any, known: set[type[BaseModel]]) -> None:
    for part in annotations_of(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel) and part not in known:
            known.add(part)
            for field in part.model_fields.values():
                models_of(field.annotation, known)


def holds_texts(annotation: Any, metadata: Iterable[Any] = ()) -> bool:
    """Return whether values of the type are `Text`, or tuples of it, without examples. Keys of a dict do not count."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return holds_texts(inner, more)
    if annotation is str:
        notes = [*metadata, *(part for each in metadata for part in getattr(each, "metadata", ()))]
        is_text = any(isinstance(each, AfterValidator) and each.func is checked for each in notes)
        return is_text and not any(getattr(each, "examples", None) for each in notes)
    if get_origin(annotation) is dict:
        return False
    return any(holds_texts(part, metadata) for part in get_args(annotation))


@cache
def text_fields() -> dict[str, frozenset[str]]:
    """Return the fields of each class of the events that hold a `Text` without a vocabulary."""
    known: set[type[BaseModel]] = set()
    for event in PUBLISHED:
        models_of(event, known)
    return {
        model.__name__: frozenset(
            name
            for name, field in model.model_fields.items()
            if not field.examples and holds_texts(field.annotation, field.metadata)
        )
        for model in known
    }


class Sources:
    """The sources of the services: every call by the name of what it calls, with the function around it."""

    def __init__(self) -> None:
        self.calls: dict[str, list[tuple[Place, ast.Call]]] = defaultdict(list)
        self.classes: dict[str, list[tuple[str, ast.ClassDef]]] = defaultdict(list)
        self.modules: dict[str, ast.Module] = {}
        for package in PACKAGES:
            base = ROOT / package if package == "contracts" else ROOT / "services" / package
            for file in sorted(base.rglob("*.py")):
                name = ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
                if not name.endswith("__main__"):
                    self.modules[name] = ast.parse(file.read_text(encoding="utf-8"))
                    self._index(name, self.modules[name], None)

    def _index(self, module: str, node: ast.AST, function: Any) -> None:
        for child in ast.iter_child_nodes(node):
            inner = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Call):
                called = child.func.id if isinstance(child.func, ast.Name) else getattr(child.func, "attr", "")
                self.calls[called].append((Place(module, child, function), child))
            elif isinstance(child, ast.ClassDef):
                self.classes[child.name].append((module, child))
            self._index(module, child, inner)

    def constants(self, place: Place, depth: int = 0) -> set[str]:
        """Return the texts, other than the empty one, that an expression may have as constants."""
        match place.node:
            case ast.Constant(value=str(text)):
                return {text} - {""}
            case ast.IfExp(body=one, orelse=other):
                parts = [one, other]
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
                pass
            case ast.NamedExpr(value=value):
                parts = [value]
            case ast.Call(func=ast.Name(id="str"), args=[value]):
                parts = [value]
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if errors := _errors(place.function, name):
                return set().union(*(self._of_errors(place.module, each, attribute, depth + 1) for each in errors))
            case ast.Name(id=name) if place.function is not None and depth < DEEPEST and name in _bound(place.function):
                return self._of_local(place.module, name, place.function, depth + 1)
            case ast.Name() | ast.Attribute():
                return _of_module(importlib.import_module(place.module), ast.unparse(place.node))
            case _:
                return set()
        return set().union(*(self.constants(place._replace(node=part), depth) for part in parts))

    def _of_errors(self, used: str, name: str, attribute: str, depth: int) -> set[str]:
        """Return the constants of an attribute of an error class and of its subclasses, in one package."""
        found = set[str]()
        for module, node in self.classes[name] if depth < DEEPEST else ():
            if module.split(".")[1] != used.split(".")[1]:
                continue
            for statement in node.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == attribute:
                        found |= self.constants(Place(module, value, None), depth)
                    case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == attribute:
                        found |= self.constants(Place(module, value, None), depth)
                    case ast.FunctionDef(name="__init__"):
                        found |= self._of_init(module, node.name, statement, attribute, depth)
            derived = [each for each, nodes in self.classes.items() if any(_derives(node, name) for _, node in nodes)]
            found |= set().union(*(self._of_errors(used, each, attribute, depth) for each in derived))
        return found

    def _of_init(self, module: str, name: str, init: ast.FunctionDef, attribute: str, depth: int) -> set[str]:
        """Return the constants that `self.attribute = parameter` gets from the calls of a class."""
        found, arguments = set[str](), [each.arg for each in init.args.args[1:]]
        for node in ast.walk(init):
            match node:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=target)], value=value) if (
                    target == attribute
                ):
                    used = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
                    for place, call in self.calls[name]:
                        if place.module.split(".")[1] == module.split(".")[1]:
                            given = [*zip(arguments, call.args, strict=False)]
                            given += [(each.arg or "", each.value) for each in call.keywords]
                            values = [place._replace(node=each) for argument, each in given if argument in used]
                            found |= set().union(*(self.constants(each, depth) for each in values))
        return found

    def _of_local(self, module: str, name: str, function: Any, depth: int) -> set[str]:
        values = [Place(module, value, function) for target, value in _assigned(function) if target == name]
        names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        position = names.index(name) - (names[0] in {"self", "cls"}) if name in names else None
        for where, call in self.calls[function.name]:
            if _is_visible(function.name, module, where.module):
                if position is not None and len(call.args) > position:
                    values.append(where._replace(node=call.args[position]))
                values += [where._replace(node=each.value) for each in call.keywords if each.arg == name]
        return set().union(*(self.constants(value, depth) for value in values))


def _errors(function: Any, name: str) -> set[str]:
    """Return the classes of errors that a local variable may have: of a parameter, or of an `except`."""
    if function is None:
        return set()
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    types: list[ast.expr | None] = [each.annotation for each in every if each.arg == name]
    types += [node.type for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.name == name]
    named = {node for each in types if each is not None for node in ast.walk(each)}
    return {node.id for node in named if isinstance(node, ast.Name) and node.id.endswith("Error")}


def _derives(node: ast.ClassDef, name: str) -> bool:
    return any(isinstance(base, ast.Name) and base.id == name for base in node.bases)


@cache
def all_sources() -> Sources:
    return Sources()


def _bound(function: Any) -> set[str]:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return {each.arg for each in every} | {target for target, _ in _assigned(function)}


def _assigned(function: Any) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.NamedExpr(ast.Name(id=name), value):
                yield name, value
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = zip(names, values, strict=False)
                yield from ((each.id, value) for each, value in pairs if isinstance(each, ast.Name))


def _of_module(module: ModuleType, expression: str) -> set[str]:
    value: Any = module
    for name in expression.split("."):
        value = getattr(value, name, None)
    return {str(value)} if isinstance(value, str) and value else set()


def _is_visible(name: str, defined: str, used: str) -> bool:
    """Return whether a function of one module may be the one of this name that another calls."""
    if defined == used:
        return True
    theirs = getattr(importlib.import_module(used), name, None)
    return theirs is not None and theirs is getattr(importlib.import_module(defined), name, None)


def is_of_words(annotation: Any) -> bool:
    return any(isinstance(part, type) and issubclass(part, StrEnum) for part in annotations_of(annotation)) or any(
        get_origin(part) is Literal and any(map(_is_word, get_args(part))) for part in annotations_of(annotation)
    )


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def typed_words(makers: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return the text fields with a namesake in a package that makes the event, typed as one of several words."""
    found = set()
    for name in all_sources().modules:
        package = name.split(".")[1]
        module = importlib.import_module(name)
        for owner in vars(module).values():
            if isinstance(owner, type) and owner.__module__ == name:
                words = {field for field, hint in _hints(owner, module).items() if is_of_words(hint)}
                found |= {(event, field) for event in makers[package] for field in text_fields()[event] & words}
    return found


def _hints(owner: type, module: ModuleType) -> dict[str, Any]:
    found = {}
    for name, hint in vars(owner).get("__annotations__", {}).items():
        with suppress(NameError):  # names that are only imported for type checkers
            found[name] = _evaluate(hint, types=vars(module)) if isinstance(hint, str) else hint
    return found


def _evaluate(hint: str, types: dict[str, Any]) -> Any:
    return get_type_hints(type("Owner", (), {"__annotations__": {"value": hint}}), types)["value"]


@pytest.mark.slow
def test_the_words_of_an_error_are_followed_to_where_it_is_raised() -> None:
    module = "rondo.ingestion.scoring.jobs"
    source = ast.parse("def ended(error: ScoringFailedError | None):\n    code = error.code if error else ''")
    [function] = source.body
    assert isinstance(function, ast.FunctionDef)
    [assignment] = function.body
    assert isinstance(assignment, ast.Assign)
    found = all_sources().constants(Place(module, assignment.value, function))
    assert {"no_answer", "data_changed", "scores_lost"} <= found


def test_no_text_of_an_event_is_a_word_without_a_vocabulary() -> None:
    sources, found = all_sources(), defaultdict(set)
    makers: dict[str, set[str]] = defaultdict(set)
    for event, fields in text_fields().items():
        for place, call in sources.calls[event]:
            makers[place.module.split(".")[1]].add(event)
            for each in call.keywords:
                if each.arg in fields:
                    found[event, each.arg] |= sources.constants(place._replace(node=each.value))
    words = {key for key, constants in found.items() if constants} | typed_words(makers)
    assert words == set(), {key: found[key] for key in words}
