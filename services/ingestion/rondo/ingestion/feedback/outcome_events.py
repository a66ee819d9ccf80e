"""What is said of a commit of outcomes. Its figures are noted in the commit, so a later process can say it, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

import pyarrow.compute as pc

from rondo.contracts.events.data import DataVersion, OutcomesAccepted

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from rondo.ingestion.ports import Commit

_NOTE = "outcomes"


@dataclass(frozen=True)
class Landed:
    """A commit of outcomes as an event; the id is a function of the commit, so that saying it twice says it once."""

    event: OutcomesAccepted
    event_id: str


def notes(outcomes: pa.Table, joined: int) -> dict[str, str]:
    """Return what a commit of these outcomes notes about itself."""
    known = pc.min_max(outcomes["known_at"])
    figures = {
        "rows": outcomes.num_rows,
        "joined": joined,
        "known_from": known["min"].as_py().isoformat(),
        "known_to": known["max"].as_py().isoformat(),
    }
    return {_NOTE: json.dumps(figures)}


def landed(model: str, table: str, commits: Iterable[Commit]) -> list[Landed]:
    """Return the events of those commits that have outcomes."""
    return [_landed(model, table, commit) for commit in commits if _NOTE in commit.notes]


def _landed(model: str, table: str, commit: Commit) -> Landed:
    version = DataVersion(table=table, version=commit.version, digest=commit.digest)
    event = OutcomesAccepted(model=model, data_version=version, **json.loads(commit.notes[_NOTE]))
    return Landed(event, str(uuid5(NAMESPACE_URL, f"rondo:outcomes:{model}/{commit.version}/{commit.digest}")))
