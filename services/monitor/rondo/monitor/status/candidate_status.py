"""The status of the versions that answer beside the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.times import Utc
from rondo.monitor.alerts import no_verdict
from rondo.monitor.evidence.component_sums import INPUT_GROUPS
from rondo.monitor.evidence.component_tests.watched import Taken
from rondo.monitor.status.column_status import ColumnStatus, column_statuses
from rondo.monitor.status.overall_verdict import OverallVerdict, overall_verdict
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.candidates import Candidates

_NO_LOSSES = "its performance is judged once it is the champion"


class CandidateStatus(Value):
    """A canary or a shadow: its inputs and predictions, from the `rows` that are evidence, which end at `until`."""

    role: str
    version: int
    rows: int
    until: Utc | None
    verdict: OverallVerdict
    columns: tuple[ColumnStatus, ...]


def candidate_statuses(model: str, candidates: Candidates, spec: ModelSpec) -> tuple[CandidateStatus, ...]:
    """Return the status of each candidate, by role."""
    rate, found = spec.monitor.false_alarm_rate, list[CandidateStatus]()
    for role, candidate in sorted(candidates.by_role.items()):
        evidence = candidates.evidence.versions.get(candidate.version)
        taken = evidence.taken["inputs"] if evidence else Taken()
        columns = tuple(each for each in column_statuses(evidence, rate) if each.group in INPUT_GROUPS)
        missing = no_verdict.inputs(evidence, rate) if evidence else no_verdict.NO_ROWS
        reason = "; ".join(filter(None, (missing, _NO_LOSSES)))
        found.append(
            CandidateStatus(
                role=role,
                version=candidate.version,
                rows=taken.rows,
                until=to_time(taken.last) if taken.rows else None,
                verdict=overall_verdict(model, candidate.version, columns, reason),
                columns=columns,
            )
        )
    return tuple(found)
