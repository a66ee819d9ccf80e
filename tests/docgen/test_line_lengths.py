"""Lines of documents are 120 characters at most, so that a diff shows them whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 120
FOLDERS = ("docs", "contracts", "deploy", "examples", "services", "client")
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    *(page for each in FOLDERS for page in (ROOT / each).rglob("*.md")),
]
# A line break divides neither code nor a link.
UNDIVIDED = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)")


def prose(text: str) -> list[str]:
    """Return the lines that are in no block of code, and no heading, table, picture or comment."""
    lines, in_code = list[str](), False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith(("#", "|", "!", "<")):
            lines.append(line)
    return lines


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_line_is_longer(page: Path) -> None:
    too_long = [line for line in prose(page.read_text()) if len(line) > LONGEST]
    assert [line for line in too_long if len(UNDIVIDED.sub("piece", line).split()) > 1] == []
