"""The decision records have the parts that a reader looks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

RECORDS = sorted((Path(__file__).resolve().parent.parent / "docs/decisions").glob("*.md"))
PARTS = ("Context", "Decision", "Consequences", "Alternatives")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_its_number_and_all_parts(record: Path) -> None:
    text, number = record.read_text(), int(record.stem[:4])
    assert text.startswith(f"# {number}. ")
    found = re.findall(r"^\*\*([A-Z]\w+)\.\*\*", text, re.MULTILINE)
    assert sorted(part for part in found if part in PARTS) == sorted(PARTS)


def test_numbers_follow_each_other() -> None:
    assert [int(record.stem[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
