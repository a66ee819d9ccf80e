"""Gates that compare a candidate with the champion on the same holdout.

A champion that can't be scored blocks no candidate: the gates against it pass with a note, and the absolute gates
decide. A champion that took over during the training could be scored, but was not: the gate `stale_champion` fails,
and one more training is requested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import Trigger
from rondo.registry.gates import slices

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Gates
    from rondo.contracts.training_evidence import Evidence
    from rondo.registry.model.model import Candidate

STALE_CHAMPION = "stale_champion"
_NOT_WORSE = "roc_auc.not_worse_than_champion"
_RETRY_PREFIX = "stale-champion/"


@dataclass(frozen=True)
class ComparedChampion:
    """The version that serves; `not_comparable` is the reason why it can't be scored on the candidate's holdout."""

    number: int
    not_comparable: str = ""


def compare(evidence: Evidence, gates: Gates, champion: ComparedChampion | None) -> tuple[GateResult, ...]:
    """Return the result of each gate of the spec that compares with the champion."""
    names = _names(gates)
    if champion is None:
        return tuple(_passed(name, "no version serves yet: nothing to compare with") for name in names)
    if champion.not_comparable:
        note = f"version {champion.number} serves, and can't be scored: {champion.not_comparable}; not compared"
        return tuple(_passed(name, note) for name in names)
    if evidence.champion is None or evidence.champion_version != champion.number:
        return (_stale(evidence, champion),) if names else ()
    tolerance = gates.roc_auc.not_worse_than_champion if gates.roc_auc else None
    not_worse = () if tolerance is None else (_not_worse(evidence, tolerance),)
    return (*not_worse, *(slices.worst_change(evidence, column, gates) for column in gates.slices))


def compared_with_stale_champion(candidate: Candidate) -> bool:
    """Return whether the comparison with an earlier champion is the only reason against a candidate."""
    return [gate.gate for gate in candidate.gates if not gate.passed] == [STALE_CHAMPION]


def retry_trigger(candidate: Candidate) -> Trigger | None:
    """Return the trigger of one more training as of the same event time; None if this candidate is the retry itself.

    The kind is manual, because the trainer's cooldown and budget admitted the original trigger already. There is one
    retry, so that a champion that changes often does not cause trainings without end.
    """
    trained = candidate.trained
    if not compared_with_stale_champion(candidate) or trained.trigger.id.startswith(_RETRY_PREFIX):
        return None
    why = next(gate.message for gate in candidate.gates if not gate.passed)
    return Trigger(id=f"{_RETRY_PREFIX}{trained.run_id}", kind="manual", at=trained.trigger.at, detail=why)


def _names(gates: Gates) -> tuple[str, ...]:
    compared = gates.roc_auc is not None and gates.roc_auc.not_worse_than_champion is not None
    metric = (_NOT_WORSE,) if compared else ()
    return (*metric, *(f"slices.{column}" for column in gates.slices))


def _stale(evidence: Evidence, champion: ComparedChampion) -> GateResult:
    scored = f"version {evidence.champion_version}" if evidence.champion else "no version"
    message = (
        f"version {champion.number} serves by now, but {scored} was scored on the same holdout: "
        "the champion changed during the training, so train again"
    )
    return GateResult(gate=STALE_CHAMPION, passed=False, observed=None, bound=None, message=message)


def _not_worse(evidence: Evidence, tolerance: float) -> GateResult:
    observed = evidence.candidate.metrics.get("roc_auc", math.nan)
    reference = evidence.champion.metrics.get("roc_auc", math.nan) if evidence.champion else math.nan
    bound = reference - tolerance
    if math.isnan(observed) or math.isnan(bound):
        message = "the holdout gave no ROC AUC for the candidate or for the champion"
        return GateResult(gate=_NOT_WORSE, passed=False, observed=None, bound=None, message=message)
    message = (
        f"ROC AUC {observed:.3f}, version {evidence.champion_version} has {reference:.3f} on the same holdout; "
        f"at most {tolerance:g} less is allowed"
    )
    passed = observed >= bound - slices.EPSILON
    return GateResult(gate=_NOT_WORSE, passed=passed, observed=observed, bound=bound, message=message)


def _passed(gate: str, message: str) -> GateResult:
    return GateResult(gate=gate, passed=True, observed=None, bound=None, message=message)
