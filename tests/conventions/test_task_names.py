"""No package compares the name of a task, because the task's object has everything that differs."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rondo.contracts.tasks.registry import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ROOM = ROOT / "contracts/rondo/contracts/tasks"
FOLDERS = ("contracts", "services", "client", "deploy", "docs", "examples")
MAY_NAME = {
    "client/rondo/client/spec_proposal/tasks.py": "`rondo init` guesses one of three by the values of a column",
}
# The objects, and the classes of them, by module.
OBJECTS = {
    type(task).__module__: {
        name for name, value in vars(sys.modules[type(task).__module__]).items() if value in (task, type(task))
    }
    for task in TASKS.values()
}


def sources() -> list[Path]:
    return [
        file
        for folder in FOLDERS
        for file in sorted((ROOT / folder).rglob("*.py"))
        if not {".venv", "node_modules", "build"} & set(file.parts) and not file.is_relative_to(ROOM)
    ]


def named(source: str) -> list[int]:
    """Return the lines that compare or look up the name of a task, or import its object past the registry."""
    return sorted({node.lineno for node in _named(ast.parse(source))})


def _named(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        match node:
            case ast.Compare():
                parts = [node.left, *node.comparators]
            case ast.MatchValue():
                parts = [node.value]
            case ast.Dict():
                parts = list(node.keys)
            case ast.Subscript():
                parts = [node.slice]
            case ast.Call(func=ast.Attribute(attr="get" | "startswith" | "pop"), args=[first, *_]):
                parts = [first]
            case ast.ImportFrom(module=module) if module in OBJECTS:
                if {each.name for each in node.names} & OBJECTS[module]:
                    yield node
        yield from (part for each in parts if each is not None for part in ast.walk(each) if _is_name(part))


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in TASKS


@pytest.mark.medium
def test_no_package_asks_for_the_name_of_a_task() -> None:
    found = {str(file.relative_to(ROOT)): named(file.read_text("utf-8")) for file in sources()}
    assert len(found) > 400
    assert {file for file, lines in found.items() if lines} == MAY_NAME.keys(), {
        file: lines for file, lines in found.items() if lines and file not in MAY_NAME
    }


@pytest.mark.parametrize(
    "code",
    [
        'if task == "binary": pass',
        'x = 1 if "regression" != spec.task else 2',
        'x = task in ("multiclass", "regression")',
        'x = {"binary": 1}[task]',
        'x = table["binary"]',
        'x = table.get("binary")',
        'match task:\n    case "binary" | "other":\n        pass',
        "from rondo.contracts.tasks.binary import BINARY",
        "from rondo.contracts.tasks.multiclass import Multiclass",
    ],
)
def test_the_name_is_found_however_it_is_asked_for(code: str) -> None:
    assert named(code)


@pytest.mark.parametrize(
    "code",
    [
        'OBJECTIVES = {"probability": "binary", "number": "regression"}',
        'schema = {"type": "string", "format": "binary"}',
        "from rondo.contracts.tasks.multiclass import MAX_CLASSES",
        'if task.target == "number": pass',
    ],
)
def test_other_words_are_left_alone(code: str) -> None:
    assert not named(code)


def test_every_file_of_the_room_that_has_a_task_is_registered() -> None:
    files = {f"rondo.contracts.tasks.{file.stem}" for file in ROOM.glob("*.py") if file.stem != "__init__"}
    with_a_head = {name for name in files if any(hasattr(value, "head") for value in vars(import_module(name)).values()
                                                 if not isinstance(value, type))}  # fmt: skip
    assert with_a_head - {"rondo.contracts.tasks.registry"} == OBJECTS.keys()
