"""Is a candidate as good as the champion, on the same holdout? And was it this champion that it was compared with?

A champion that can't be scored holds up nobody: the gates against it are passed with a note, and the absolute ones
decide. One that took over while the candidate was trained can be scored, only nobody has: `champion_moved`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.registry.gates import slices

if TYPE_CHECKING:
    from rondo.contracts.events.training import Evidence
    from rondo.contracts.spec.model import Gates

MOVED = "champion_moved"
_NOT_WORSE = "roc_auc.not_worse_than_champion"


@dataclass(frozen=True)
class Champion:
    """The version that serves now; `unfit` says why it can't be scored on the candidate's holdout at all."""

    number: int
    unfit: str = ""


def compare(evidence: Evidence, gates: Gates, champion: Champion | None) -> tuple[GateResult, ...]:
    """Return what each gate of the spec that compares with the champion saw."""
    names = _names(gates)
    if champion is None:
        return tuple(_passed(name, "no version serves yet: nothing to compare with") for name in names)
    if champion.unfit:
        note = f"version {champion.number} serves, and can't be scored: {champion.unfit}; not compared"
        return tuple(_passed(name, note) for name in names)
    if evidence.champion is None or evidence.champion_version != champion.number:
        return (_moved(evidence, champion),) if names else ()
    tolerance = gates.roc_auc.not_worse_than_champion
    not_worse = () if tolerance is None else (_not_worse(evidence, tolerance),)
    return (*not_worse, *(slices.worst_change(evidence, column, gates) for column in gates.slices))


def _names(gates: Gates) -> tuple[str, ...]:
    metric = () if gates.roc_auc.not_worse_than_champion is None else (_NOT_WORSE,)
    return (*metric, *(f"slices.{column}" for column in gates.slices))


def _moved(evidence: Evidence, champion: Champion) -> GateResult:
    scored = f"version {evidence.champion_version}" if evidence.champion else "no version"
    message = (
        f"version {champion.number} serves by now, but {scored} was scored on the same holdout: "
        "the champion changed during the training, so train again"
    )
    return GateResult(gate=MOVED, passed=False, observed=None, bound=None, message=message)


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
