"""Prose names its subject first, has one fact a sentence and plain words (docs/style.md, rules 3 and 4)."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("client", "contracts", "deploy", "docs", "examples", "services", "tests")
# A docstring that begins with one of these is a clause, whose subject the reader has to find.
OPENINGS = frozenset(("As", "By", "How", "Of", "What", "Where", "Whether", "Which", "Who", "Whose", "Why"))
NO_CLAUSE = ("By default",)
# Old-fashioned or figurative words, in any text for people.
OLD = re.compile(r"\b(anew|whoever|goes\s+on|speaks\s+(?:for|against)|told\s+from)\b", re.IGNORECASE)
# The first two name these words. A decision record keeps the text of its date.
MAY_HAVE_OLD_WORDS = ("docs/style.md", "tests/conventions/test_prose.py", "docs/decisions/")
LOGS = frozenset(("debug", "info", "warning", "error", "exception", "critical"))
CODE, PARENTHESES = re.compile(r"`[^`]*`"), re.compile(r"\([^()]*\)")


def docstrings(source: str) -> Iterator[str]:
    """Yield the docstrings of a module, its classes, functions and attributes."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            if (
                isinstance(each, ast.Expr)
                and isinstance(each.value, ast.Constant)
                and isinstance(each.value.value, str)
            ):
                yield each.value.value.strip()


def comments(source: str) -> Iterator[str]:
    """Yield the comments of a module in which there may be a semicolon."""
    if re.search(r"#.*;", source):
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


def has_semicolon(text: str) -> bool:
    """Return whether a semicolon joins sentences. One in code or within parentheses, as of a citation, does not."""
    text = CODE.sub("", text)
    while (shorter := PARENTHESES.sub("", text)) != text:
        text = shorter
    return ";" in text


def is_clause(text: str) -> bool:
    return text.split(maxsplit=1)[:1] != [] and text.split(maxsplit=1)[0] in OPENINGS and not text.startswith(NO_CLAUSE)


def messages(source: str) -> Iterator[str]:
    """Yield the log messages and the summaries of routes of a module, with the constant parts of formatted texts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            is_log = isinstance(function, ast.Attribute) and function.attr in LOGS
            found = [
                *(node.args[:1] if is_log else ()),
                *(each.value for each in node.keywords if each.arg == "summary"),
            ]
            for each in found:
                parts = each.values if isinstance(each, ast.JoinedStr) else [each]
                texts = [part.value for part in parts if isinstance(part, ast.Constant)]
                yield "".join(text for text in texts if isinstance(text, str))


def begins_with_clause(message: str) -> bool:
    """Return whether a log message, which begins with a small letter, or a summary begins with a clause."""
    return is_clause(message[:1].upper() + message[1:])


def flagged(source: str) -> list[str]:
    texts = list(docstrings(source))
    return (
        [text for text in texts if is_clause(text)]
        + list(filter(begins_with_clause, messages(source)))
        + [text for text in (*texts, *comments(source)) if has_semicolon(text)]
    )


@pytest.mark.parametrize(
    "source",
    [
        '"""What the service needs."""',
        'def f() -> int:\n    """Return the rows; None if there are none."""',
        'class C:\n    x: int\n    """Of a group the rows."""',
        "x = 1  # the rows; or none",
        'log.warning("what can not be read is left out: %s", error)',
        'router.get("/rows", summary="Which rows there are")',
    ],
)
def test_a_clause_and_a_semicolon_are_seen(source: str) -> None:
    assert len(flagged(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""Return the rows (Lei et al., 2018; theorem 2.2)."""',
        '"""By default one half. `a; b` is code."""',
        'x = "a; b"  # one fact',
        'log.info("the rows are read; send more")',
    ],
)
def test_what_is_no_such_sentence_passes(source: str) -> None:
    assert flagged(source) == []


@pytest.mark.medium
@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_and_comments_name_their_subject_and_have_no_semicolon(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    found = {file.relative_to(ROOT).as_posix(): flagged(file.read_text()) for file in files}
    assert {file: texts for file, texts in found.items() if texts} == {}


@pytest.mark.parametrize("text", ["it goes\non", "A table is made anew.", "none speaks against it"])
def test_an_old_fashioned_word_is_seen(text: str) -> None:
    assert OLD.search(text)


@pytest.mark.medium
def test_no_text_has_an_old_fashioned_word() -> None:
    """Code is read as a whole, so messages, help texts and names of tests count, too."""
    folders = ("*.md", *(f"{folder}/**/*.{kind}" for folder in FOLDERS for kind in ("py", "md")))
    files = {file.relative_to(ROOT).as_posix(): file for folder in folders for file in ROOT.glob(folder)}
    read = {name: file.read_text() for name, file in files.items() if not name.startswith(MAY_HAVE_OLD_WORDS)}
    assert {name: match[0] for name, text in read.items() if (match := OLD.search(text))} == {}
