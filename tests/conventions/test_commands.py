"""Every `make` and `rondo` command on a page exists: as a target, or as words that the command's parser accepts."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from rondo.client.cli.command import app

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
# Designs have commands that do not exist yet.
DESIGNS = ROOT / "docs" / "design"
DOCS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if DESIGNS not in page.parents]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *DOCS]
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
CLI: Any = typer.main.get_command(app)
_ASSIGNMENT = re.compile(r"[A-Z][A-Z_]*=\S*")


def pieces(page: str) -> list[str]:
    """Return the lines of a page's code blocks, and the texts in backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return [*(line for block in blocks for line in block.splitlines()), *re.findall(r"`([^`\n]+)`", text)]


def commands(page: str) -> list[tuple[str, ...]]:
    """Return the words of each of our commands, without assignments before it, comments, and pipes after it."""
    found = []
    for piece in pieces(page):
        if not re.match(rf"({_ASSIGNMENT.pattern} +)*(make|rondo) +[^=]", piece):
            continue
        words = shlex.split(re.sub(r"<\w+>|…", "1", piece), comments=True)
        words = [word for word in words if not _ASSIGNMENT.fullmatch(word)]
        found.append(tuple(takewhile(lambda word: word not in {"|", "&&", ";"}, words)))
    return found


EACH = pytest.mark.parametrize(
    "words", sorted({words for page in PAGES for words in commands(page.read_text())}), ids=" ".join
)


def test_the_pages_have_commands() -> None:
    pages = (ROOT / "README.md", ROOT / "docs" / "usage.md")
    documented = {words[:2] for page in pages for words in commands(page.read_text())}
    assert documented >= {("make", "demo"), ("make", "test"), ("rondo", "apply"), ("rondo", "rollback")}


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """Return a function that gives the reader the files that a command names. One with a folder is of the checkout."""
    monkeypatch.chdir(tmp_path)

    def has(arguments: list[str]) -> None:
        for name in arguments:
            if re.fullmatch(r"FILE|\w+\.(parquet|jsonl|onnx|csv|yaml)", name):
                (tmp_path / name).touch()
            elif "/" in name:
                (tmp_path / name).parent.mkdir(parents=True)
                (tmp_path / name).write_bytes((ROOT / name).read_bytes())

    return has


@EACH
def test_a_command_on_a_page_is_one(words: tuple[str, ...], reader: Callable[[list[str]], None]) -> None:
    program, name, *arguments = words
    if program == "make":
        assert {name, *arguments} <= TARGETS
        return
    command = CLI.commands.get(name)
    assert command, f"there is no `rondo {name}`"
    if not arguments:  # a page may name a command without using it
        return
    reader(arguments)
    try:
        command.make_context(name, list(arguments)).close()
    except typer.BadParameter.__base__ as error:  # whatever is wrong with a usage
        pytest.fail(f"`{' '.join(words)}`: {error.format_message()}")
