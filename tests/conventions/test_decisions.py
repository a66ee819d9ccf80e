"""The decision records have the parts that a reader looks for."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PARTS = ("Context", "Decision", "Consequences", "Alternatives")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_number_and_all_parts(record: Path) -> None:
    text, number = record.read_text(), int(record.stem[:4])
    assert text.startswith(f"# {number}. ")
    found = re.findall(r"^\*\*([A-Z]\w+)\.\*\*", text, re.MULTILINE)
    assert sorted(part for part in found if part in PARTS) == sorted(PARTS)


def test_numbers_follow_each_other() -> None:
    assert [int(record.stem[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def below(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a node, without the functions that are defined in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FUNCTIONS):
            yield child
            yield from below(child)


def catches(node: ast.AST) -> bool:
    return (isinstance(node, ast.Try) and bool(node.handlers)) or (
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
    )


def sources() -> Iterator[tuple[str, str]]:
    """Yield the files of the code, as named below `rondo`, and their texts."""
    for part in ("client", "contracts", "deploy", "services"):
        for folder in (ROOT / part).glob("**/rondo"):
            for file in folder.rglob("*.py"):
                yield str(file.relative_to(folder)), file.read_text()


@pytest.mark.medium
def test_a_loop_that_catches_errors_uses_retry_or_has_a_row() -> None:
    """Decision 26. A row names the file below `rondo`, and the functions with the loop, or around it."""
    table = [row.split(" | ")[0] for row in RECORDS[25].read_text().splitlines() if row.startswith("| `")]
    rows = {
        (file, name)
        for place in table
        for file, names in re.findall(r"`([\w/]+\.py)`((?:, `\w+`)+)", place)
        for name in re.findall(r"`(\w+)`", names)
    }
    functions = {
        (name, node.name): node
        for name, text in sources()
        # The others are not parsed, which takes long.
        if "while " in text or name in {file for file, _ in rows}
        for node in ast.walk(ast.parse(text))
        if isinstance(node, FUNCTIONS)
    }
    loops = {
        place
        for place, function in functions.items()
        if any(isinstance(each, ast.While) and any(map(catches, below(each))) for each in below(function))
    }
    assert {"loops without a row": loops - rows, "rows without a function": rows - functions.keys()} == {
        "loops without a row": {("chassis/retry.py", "call")},
        "rows without a function": set(),
    }
