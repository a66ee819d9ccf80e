"""The events that announce commits of outcomes. The commit has their figures, so a later process can send them."""

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

_FIGURES = "outcomes"


@dataclass(frozen=True)
class OutcomesCommit:
    """The event of one commit. The id is derived from the commit, so a repeated event is recognised."""

    event: OutcomesAccepted
    event_id: str


def metadata(outcomes: pa.Table, joined: int) -> dict[str, str]:
    """Return the metadata of a commit of these outcomes, which has the content of its event."""
    known = pc.min_max(outcomes["known_at"])
    figures = {
        "rows": outcomes.num_rows,
        "joined": joined,
        "known_from": known["min"].as_py().isoformat(),
        "known_to": known["max"].as_py().isoformat(),
    }
    return {_FIGURES: json.dumps(figures)}


def outcomes_commits(model: str, table: str, commits: Iterable[Commit]) -> list[OutcomesCommit]:
    """Return the events of those commits that added outcomes."""
    return [_event(model, table, commit) for commit in commits if _FIGURES in commit.metadata]


def _event(model: str, table: str, commit: Commit) -> OutcomesCommit:
    version = DataVersion(table=table, version=commit.version, digest=commit.digest)
    event = OutcomesAccepted(model=model, data_version=version, **json.loads(commit.metadata[_FIGURES]))
    return OutcomesCommit(event, str(uuid5(NAMESPACE_URL, f"rondo:outcomes:{model}/{commit.version}/{commit.digest}")))
