"""Gates that compare a candidate with the champion on the same holdout.

A champion that can't be scored blocks no candidate: the gates that compare with it pass with a note, and the absolute
gates decide. If a champion took over during the training, it was not scored: the gate `stale_champion` fails, and one
more training is requested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.models import GateResult
from rondo.contracts.events.training import Trigger
from rondo.contracts.tasks.registry import METRICS
from rondo.contracts.vocabularies import GateName, TriggerKind
from rondo.registry.gates import slices

if TYPE_CHECKING:
    from rondo.contracts.spec.model import Gates
    from rondo.contracts.training_evidence import Evidence
    from rondo.registry.model.model import Candidate

_NOT_WORSE = "not_worse_than_champion"
_RETRY_PREFIX = "stale-champion/"


@dataclass(frozen=True)
class ComparedChampion:
    """The version that serves. `not_comparable` is the reason of the registry why it can't be scored, or None."""

    number: int
    not_comparable: str = ""


def compare(
    evidence: Evidence, gates: Gates, champion: ComparedChampion | None, primary: str
) -> tuple[GateResult, ...]:
    """Return the result of each gate of the spec that compares with the champion.

    `primary` is the metric of slices if the spec names none.
    """
    tolerances = _tolerances(gates)
    names = (*(f"{name}.{_NOT_WORSE}" for name in tolerances), *(f"slices.{column}" for column in gates.slices))
    if champion is None:
        return tuple(_passed(name, "no version serves yet: nothing to compare with") for name in names)
    if not_comparable := champion.not_comparable or _found_not_comparable(evidence, champion):
        note = f"version {champion.number} serves, and can't be scored: {not_comparable}; not compared"
        return tuple(_passed(name, note) for name in names)
    if evidence.champion is None or evidence.champion_version != champion.number:
        return (_stale(evidence, champion),) if names else ()
    return (
        *(_not_worse(evidence, name, tolerance) for name, tolerance in tolerances.items()),
        *(slices.worst_change(evidence, column, gates, primary) for column in gates.slices),
    )


def compared_with_stale_champion(candidate: Candidate) -> bool:
    """Return whether the comparison with an earlier champion is the only reason against a candidate."""
    return [gate.gate for gate in candidate.gates if not gate.passed] == [GateName.STALE_CHAMPION]


def retry_trigger(candidate: Candidate) -> Trigger | None:
    """Return the trigger of one more training at the same event time. None if this candidate is the retry itself.

    The kind is manual, because the trainer's cooldown and budget already admitted the original trigger. A model that
    was made elsewhere is registered again. There is only one retry, so that a champion that changes often does not
    cause endless trainings.
    """
    trained = candidate.trained
    if not compared_with_stale_champion(candidate) or trained.trigger.id.startswith(_RETRY_PREFIX):
        return None
    why = next(gate.message for gate in candidate.gates if not gate.passed)
    given = trained.trigger.artifact
    return Trigger(
        id=f"{_RETRY_PREFIX}{trained.run_id}",
        kind=TriggerKind.MANUAL if given is None else TriggerKind.REGISTRATION,
        at=trained.trigger.at,
        detail=why,
        artifact=given,
    )


def _found_not_comparable(evidence: Evidence, champion: ComparedChampion) -> str:
    """Return the reason why the training could not score the version that serves."""
    return (evidence.champion_not_comparable or "") if evidence.champion_version == champion.number else ""


def _tolerances(gates: Gates) -> dict[str, float]:
    found = ((name, gate.not_worse_than_champion) for name, gate in gates.metrics.items())
    return {name: tolerance for name, tolerance in found if tolerance is not None}


def _stale(evidence: Evidence, champion: ComparedChampion) -> GateResult:
    scored = f"version {evidence.champion_version}" if evidence.champion else "no version"
    message = (
        f"version {champion.number} serves by now, but {scored} was scored on the same holdout: "
        "the champion changed during the training, so train again"
    )
    return GateResult(gate=GateName.STALE_CHAMPION, passed=False, observed=None, bound=None, message=message)


def _not_worse(evidence: Evidence, name: str, tolerance: float) -> GateResult:
    """Fail a candidate that is worse than the champion by more than the tolerance, with the spec's confidence."""
    metric, gate = METRICS[name], f"{name}.{_NOT_WORSE}"
    found = next((each for each in evidence.comparisons if each.metric == name), None)
    observed = evidence.candidate.metrics.get(name, math.nan)
    reference = evidence.champion.metrics.get(name, math.nan) if evidence.champion else math.nan
    if found is None or math.isnan(observed) or math.isnan(reference) or math.isnan(found.low):
        message = f"the holdout gave no {metric.title} for the candidate or for the champion"
        return GateResult(gate=gate, passed=False, observed=None, bound=tolerance, message=message)
    least = slices.as_share(found.low, reference) if metric.relative else found.low
    share = " of that" if metric.relative else ""
    message = (
        f"{metric.written(observed)}, version {evidence.champion_version} has {metric.figure(reference)} on the same "
        f"holdout: with a confidence of {found.confidence:g} it is worse by at least {least:.3f}{share}; "
        f"at most {tolerance:g} is allowed"
    )
    passed = least <= tolerance + slices.EPSILON
    return GateResult(gate=gate, passed=passed, observed=least, bound=tolerance, message=message)


def _passed(gate: str, message: str) -> GateResult:
    return GateResult(gate=gate, passed=True, observed=None, bound=None, message=message)
