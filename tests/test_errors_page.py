"""The page of errors is true: every test that it names exists, and every message on it is one of the code's."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The faults that the page must have: whatever else it gains, these stay.
ITEMS = (
    "unknown model", "missing feature", "wrongly typed feature", "NaN", "text that is not JSON", "20 MB in one message",
    "a column is missing", "a column was renamed", "a half-written Parquet file", "an empty batch", "a typo",
    "the label is also a feature", "Kafka is down at the start", "Kafka is down in the middle",
    "PostgreSQL is down at the start", "PostgreSQL is down in the middle", "the disk is full", "a port is taken",
    "a second `make demo` beside the first",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    happened: str
    seen: str
    todo: str
    shown_by: str


def rows() -> list[Row]:
    """Return the rows of all tables."""
    lines = [line for line in (ROOT / "docs/errors.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(*each) for each in cells if each[0] not in {"What happened", "---"}]


@cache
def texts(file: Path) -> tuple[str, ...]:
    """Return the literal texts of a Python file; those written in several pieces are whole."""
    return tuple(literals(ast.parse(file.read_text())))


def literals(tree: ast.AST) -> list[str]:
    """Return the literal texts in a piece of a syntax tree."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    plain = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in values]
    return [text for text in plain if isinstance(text, str)]


def texts_of_test(file: Path, test: str) -> list[str]:
    """Return the literal texts of one test and of whatever in its file it uses: constants, functions, fixtures."""
    defined = {name: node for node in ast.parse(file.read_text()).body for name in names_of(node)}
    used, open_names = set[str](), [test]
    while open_names:
        name = open_names.pop()
        if name in used or name not in defined:
            continue
        used.add(name)
        for node in ast.walk(defined[name]):
            open_names += [node.id] if isinstance(node, ast.Name) else [node.arg] if isinstance(node, ast.arg) else []
    return [text for name in used for text in literals(defined[name])]


def names_of(node: ast.stmt) -> list[str]:
    """Return what a statement of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def fragments(seen: str) -> list[str]:
    """Return what must be found of the messages in a cell: what stands between the ellipses."""
    quoted = [match[2] for match in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", seen)]
    return [piece.strip() for text in quoted for piece in text.split("…") if piece.strip(" `?")]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.happened)
def test_a_row_is_shown_by_a_test_and_its_message_is_in_the_code(row: Row) -> None:
    named, _, test = row.shown_by.strip("`").partition("::")
    file = ROOT / named
    functions = [
        n.name for n in ast.parse(file.read_text()).body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert test in functions
    assert row.todo
    wanted = fragments(row.seen)
    known = [text for each in (file, *sources()) for text in texts(each)]
    assert [piece for piece in wanted if not any(piece in text for text in known)] == []
    shown = texts_of_test(file, test)
    assert not wanted or any(piece in text for piece in wanted for text in shown), "the test shows none of it"


@cache
def sources() -> tuple[Path, ...]:
    return tuple(
        file for folder in ("contracts", "services", "client", "deploy") for file in (ROOT / folder).rglob("*.py")
    )


@pytest.mark.parametrize("item", ITEMS)
def test_the_list_is_whole(item: str) -> None:
    assert [row for row in rows() if row.happened.startswith(item)]
