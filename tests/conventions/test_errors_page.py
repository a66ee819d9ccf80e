"""The page of errors is true: each message is one of the code's, and the test that a row names shows all of it.

`test_compared_sentences.py` checks that no other test compares a sentence of the code.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# The faults that the page must have, in addition to new ones.
ITEMS = (
    "unknown model", "missing feature", "wrongly typed feature", "NaN", "text that is not JSON", "20 MB in one message",
    "a column is missing", "a column was renamed", "a half-written Parquet file", "an empty batch", "a typo",
    "the label is also a feature", "Kafka is down at the start", "Kafka is down in the middle",
    "PostgreSQL is down at the start", "PostgreSQL is down in the middle", "the disk is full", "a port is taken",
    "a second `make demo` beside the first",
)  # fmt: skip

FOLDERS = ("contracts", "services", "client", "deploy")
# Messages that other projects word.
OF_OTHERS = {"Message size too large": "librdkafka, at the application that sends"}


@dataclass(frozen=True)
class Row:
    happened: str
    seen: str
    todo: str
    shown_by: str


@cache
def rows() -> list[Row]:
    """Return the rows of all tables."""
    lines = [line for line in (ROOT / "docs/errors.md").read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Row(*each) for each in cells if each[0] not in {"What happened", "---"}]


@cache
def texts(file: Path) -> tuple[str, ...]:
    """Return the literal texts of a Python file. Those written in several pieces are whole."""
    return tuple(literals(parsed(file)))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def literals(tree: ast.AST) -> list[str]:
    """Return the literal texts in a piece of a syntax tree."""
    return literals_among(ast.walk(tree))


def literals_among(nodes: Iterable[ast.AST]) -> list[str]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    plain = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in values]
    return [text for text in plain if isinstance(text, str)]


def texts_of_test(file: Path, test: str) -> list[str]:
    """Return the literal texts of one test, and of our constants, functions and fixtures that it uses."""
    defined = definitions(file)
    used, open_names = set[str](), [test]
    while open_names:
        name = open_names.pop()
        if name in used or name not in defined:
            continue
        used.add(name)
        for node in ast.walk(defined[name]):
            open_names += [node.id] if isinstance(node, ast.Name) else [node.arg] if isinstance(node, ast.arg) else []
    return [text for name in used for text in literals(defined[name])]


@cache
def definitions(file: Path) -> dict[str, ast.stmt]:
    """Return the definitions of a test file, and those of our files from which it imports."""
    body, found = parsed(file).body, dict[str, ast.stmt]()
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests."):
            for imported in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                if (source := ROOT / f"{imported.replace('.', '/')}.py").exists():
                    found |= definitions(source)
    return found | {name: node for node in body for name in names_of(node)}


def names_of(node: ast.stmt) -> list[str]:
    """Return what a statement of a module defines."""
    if isinstance(node, FUNCTION | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def fragments(seen: str) -> list[str]:
    """Return the parts of the messages in a cell that must be found: those between ellipses and joined texts."""
    quoted = [match[2] for match in re.finditer(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", seen)]
    pieces = [piece.strip(" :") for text in quoted for piece in re.split(r"…|[:;] | \(", text)]
    return [piece for piece in pieces if piece.strip(" `?)") and not piece.startswith("/")]


EACH_ROW = pytest.mark.parametrize("row", rows(), ids=lambda row: row.happened)


@EACH_ROW
@pytest.mark.medium
def test_the_message_of_a_row_is_in_the_code(row: Row) -> None:
    assert row.todo
    assert [piece for piece in fragments(row.seen) if piece not in known_texts()] == []


@EACH_ROW
def test_a_row_is_shown_by_one_test(row: Row) -> None:
    named, _, test = row.shown_by.strip("`").partition("::")
    assert [node.name for node in parsed(ROOT / named).body if isinstance(node, FUNCTION)].count(test) == 1


@EACH_ROW
def test_the_test_of_a_row_shows_all_of_its_message(row: Row) -> None:
    named, _, test = row.shown_by.strip("`").partition("::")
    shown = texts_of_test(ROOT / named, test)
    assert [piece for piece in fragments(row.seen) if not any(piece in text for text in shown)] == []


@cache
def files_of_the_code() -> tuple[Path, ...]:
    return tuple(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))


@cache
def known_texts() -> str:
    """Return the literal texts of the code, one after the other. No piece of a message has the character between."""
    return "\0".join([*OF_OTHERS, *(text for file in files_of_the_code() for text in texts(file))])


@pytest.mark.parametrize("item", ITEMS)
def test_the_list_is_whole(item: str) -> None:
    assert [row for row in rows() if row.happened.startswith(item)]
