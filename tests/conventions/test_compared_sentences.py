"""No test compares a sentence of the code, except those that docs/errors.md names (docs/style.md, rule 8).

A better wording is then a change of one page and one test. All other tests assert codes, fields, names and figures.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conventions import test_errors_page as page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A run of so many words is a part of a sentence.
PHRASE, WORD = 4, re.compile(r"[A-Za-z]?[a-z']+")
ERROR = ("Error", "Exception")
# Sentences for people that are made apart from the error or the report that has them.
OF_PROBLEMS = ("contracts/rondo/contracts/spec/", "services/ingestion/rondo/ingestion/validation/",
               "client/rondo/client/spec_proposal/")  # fmt: skip
MAKES_PROBLEM = re.compile("problem|reason|fault|difference")
OWN = (Path(__file__), Path(page.__file__))
Phrases = set[tuple[str, ...]]


def assertions(test: ast.AST) -> list[str]:
    """Return the literal texts that a test's assertions compare: in `assert`, and what `pytest.raises` is to match."""
    nodes = list(ast.walk(test))
    matched = [node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "match"]
    return [text for node in (*matched, *(each.test for each in nodes if isinstance(each, ast.Assert)))
            for text in page.literals(node)]  # fmt: skip


def given(test: page.FUNCTION, constants: Mapping[str, ast.stmt]) -> list[str]:
    """Return the literal texts of a test, of its parameters, and of the constants that it uses."""
    used, open_nodes, nodes = set[str](), list[ast.AST]([test]), list[ast.AST]()
    while open_nodes:
        for node in ast.walk(open_nodes.pop()):
            nodes.append(node)
            if isinstance(node, ast.Name) and node.id in constants and node.id not in used:
                used.add(node.id)
                open_nodes.append(constants[node.id])
    return values(nodes)


def values(nodes: list[ast.AST]) -> list[str]:
    """Return the literal texts among the nodes of syntax trees, without docstrings and the messages of `assert`."""
    left_out = {id(each) for node in nodes for part in not_compared(node) for each in ast.walk(part)}
    return page.literals_among(node for node in nodes if id(node) not in left_out)


def not_compared(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.Assert) and node.msg:
        return [node.msg]
    return [node.value] if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else []


def phrases(text: str) -> Phrases:
    """Return each run of plain words, with blanks between them, that is long enough to be a part of a sentence."""
    words = [word.strip(".,;:()") for word in text.split()]
    runs = zip(*(words[first:] for first in range(PHRASE)), strict=False)
    return {run for run in runs if all(map(WORD.fullmatch, run))}


def phrases_of(every: Iterable[str]) -> Phrases:
    return {phrase for text in every for phrase in phrases(text)}


@cache
def phrases_of_the_code() -> Phrases:
    return phrases_of(page.known_texts().split("\0"))


@cache
def phrases_of_errors() -> Phrases:
    """Return the phrases of the page's messages, of what the code raises, of its classes of errors, and of problems.

    Other texts of the code (SQL, prose of reports, notes of commands) are no errors. Tests are full of their words.
    """
    raised = [text for file in page.files_of_the_code() for node in ast.walk(page.parsed(file))
              if isinstance(node, ast.Raise) or is_an_error(node) or makes_problems(file, node)
              for text in values(list(ast.walk(node)))]  # fmt: skip
    return phrases_of([*raised, *(piece for row in page.rows() for piece in page.fragments(row.seen))])


def is_an_error(node: ast.AST) -> bool:
    """Return whether a part of a syntax tree is a class of errors, by its name and its bases, or makes an error."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id.endswith(ERROR)
    names = [node.name, *map(ast.unparse, node.bases)] if isinstance(node, ast.ClassDef) else []
    return any(name.endswith(ERROR) for name in names)


def makes_problems(file: Path, node: ast.AST) -> bool:
    """Return whether a part of a syntax tree makes sentences about problems, by its folder or by its name."""
    if isinstance(node, ast.Module):
        return file.relative_to(page.ROOT).as_posix().startswith(OF_PROBLEMS)
    return isinstance(node, page.FUNCTION) and MAKES_PROBLEM.search(node.name) is not None


def sentences_in(file: Path) -> list[str]:
    """Return the functions of a file that compare a phrase of the code, once for each text. Those of the page aside.

    An assertion is held to all texts of the code, and whatever else a test may compare later to those of errors.
    """
    shown = {row.shown_by.strip("`") for row in page.rows()}
    path = file.relative_to(page.ROOT).as_posix()
    constants = {
        name: node for name, node in page.definitions(file).items() if isinstance(node, ast.Assign | ast.AnnAssign)
    }
    found = []
    for function in statements(page.parsed(file).body):
        name = f"{path}::{function.name}" if isinstance(function, page.FUNCTION) else ""
        if not isinstance(function, page.FUNCTION) or name in shown:
            continue
        asserted = [text for text in assertions(function) if not phrases(text).isdisjoint(phrases_of_the_code())]
        others = given(function, constants) if function.name.startswith("test") else []
        errors = [text for text in others if not phrases(text).isdisjoint(phrases_of_errors())]
        found += [f"{name}: {text}" for text in dict.fromkeys((*asserted, *errors))]
    return found


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Return the statements of a module and of its classes, where tests are. Expressions hold none."""
    for node in body:
        yield node
        if isinstance(node, ast.ClassDef):
            yield from statements(node.body)


@pytest.mark.medium
def test_no_other_test_compares_a_sentence() -> None:
    """Docs/style.md, rule 8: a test asserts a code, a field, a name or a figure."""
    files = [file for file in (page.ROOT / "tests").rglob("*.py") if file not in OWN]
    assert [sentence for file in files for sentence in sentences_in(file)] == []
