"""A migration that has landed never changes: a database that has it refuses to start with another text of it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.conventions.append_only import lost_lines

ROOT = Path(__file__).resolve().parents[2]
LANDED = Path(__file__).parent / "migrations.txt"


def test_every_migration_is_as_it_landed() -> None:
    files = sorted(ROOT.glob("services/*/rondo/*/migrations/*.sql"))
    found = {f"{sha256(file.read_bytes()).hexdigest()}  {file.relative_to(ROOT).as_posix()}" for file in files}
    assert set(LANDED.read_text().splitlines()) == found, (
        "restore a migration that was edited, and add the line of a new one (sha256sum) to migrations.txt"
    )


def test_no_line_of_the_list_has_changed() -> None:
    assert lost_lines(LANDED) == set()
