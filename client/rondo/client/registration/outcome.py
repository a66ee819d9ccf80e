"""The result of a registration, from the registry's runs and versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from rondo.contracts.vocabularies import GateName, RunState, SkipReason, VersionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# See `rondo.registry.gates.champion_comparison`: the champion changed in the meantime, so the model is evaluated again.
_RETRY = "stale-champion/"
_NOT_WORSE, _SLICES = ".not_worse_than_champion", "slices."
_ATTEMPTS = re.compile(r" \(after \d+ attempts\)$")

# The result of a version whose gates passed. One on standby was promoted and then replaced.
_STATUS = {
    VersionState.CHAMPION: "promoted",
    VersionState.STANDBY: "promoted",
    VersionState.WAITING: "rolling_out",
    VersionState.ROLLING_OUT: "rolling_out",
    VersionState.RETIRED: "withdrawn",
    VersionState.ROLLED_BACK: "withdrawn",
    VersionState.REJECTED: "rejected",
}


class Registration(BaseModel):
    """A registration. Its state is `requested` until it is decided.

    With `promoted`, `rolling_out`, `withdrawn` and `rejected` there is the number of the version. A withdrawn version
    passed its gates and does not serve, because its rollout went back or another version replaced it. `reasons` are the
    gates that it did not pass. With `refused` there is no version, because the model can't be evaluated, and the reason
    says what to export instead. `not_compared` says why a version passed gates that compare it with the one that
    serves without a comparison, for example because none served yet. `artifact` is the digest of the file.

    `state` is what a requested one waits for to change: the state of its run, or of its version. It may be a word that
    this client does not know. It is empty before the registry lists the run, and once the registration is decided.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    trigger_id: str
    artifact: str
    status: Literal["requested", "promoted", "rolling_out", "withdrawn", "rejected", "refused"] = "requested"
    state: str = ""
    version: int | None = None
    reasons: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


def updated(
    requested: Registration, runs: Sequence[Mapping[str, Any]], versions: Sequence[Mapping[str, Any]]
) -> Registration:
    """Return the registration with its result. It stays `requested` until it is decided.

    `runs` and `versions` are those of the model, as the registry lists them.
    """
    return _updated(requested, requested.trigger_id, runs, versions)


def _updated(
    requested: Registration, trigger: str, runs: Sequence[Mapping[str, Any]], versions: Sequence[Mapping[str, Any]]
) -> Registration:
    run = next((each for each in runs if each["trigger"].get("id") == trigger), None)
    # If the spec is missing, the trainer keeps the request until the spec arrives.
    if run is None or run.get("reason") == SkipReason.NO_SPEC:
        return requested
    if run["state"] in {RunState.FAILED, RunState.SKIPPED}:
        reason = _ATTEMPTS.sub("", run["detail"])
        return requested.model_copy(update={"status": "refused", "reasons": (reason,)})
    if run["state"] != RunState.TRAINED:
        return requested.model_copy(update={"state": run["state"]})
    version = next((each for each in versions if each["run_id"] == run["run_id"]), None)
    if version is None:
        reason = f"{requested.model} was removed meanwhile: apply its spec, and register the model again"
        return requested.model_copy(update={"status": "refused", "reasons": (reason,)})
    failed = [gate for gate in version["gates"] if not gate["passed"]]
    if [gate["gate"] for gate in failed] == [GateName.STALE_CHAMPION] and not trigger.startswith(_RETRY):
        return _updated(requested, f"{_RETRY}{run['run_id']}", runs, versions)
    return _of_version(requested, version, failed)


def _of_version(
    requested: Registration, version: Mapping[str, Any], failed: Sequence[Mapping[str, Any]]
) -> Registration:
    status = "rejected" if failed else _STATUS.get(version["state"])
    if status is None:
        return requested.model_copy(update={"state": version["state"], "version": version["model_version"]})
    return requested.model_copy(
        update={
            "status": status,
            "version": version["model_version"],
            "reasons": tuple(gate["message"] for gate in failed),
            "not_compared": tuple(dict.fromkeys(each["message"] for each in version["gates"] if _not_compared(each))),
        }
    )


def _not_compared(gate: Mapping[str, Any]) -> bool:
    """Return whether a gate that compares with the champion passed without a figure."""
    compares = gate["gate"].endswith(_NOT_WORSE) or gate["gate"].startswith(_SLICES)
    return bool(gate["passed"]) and gate.get("observed") is None and compares
