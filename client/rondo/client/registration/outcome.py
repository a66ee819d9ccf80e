"""The result of a registration, from the registry's runs and versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from rondo.contracts.vocabularies import GateName, SkipReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# See `rondo.registry.gates.champion_comparison`: the champion changed in the meantime, so the model is evaluated again.
_RETRY = "stale-champion/"
_NOT_WORSE, _SLICES = ".not_worse_than_champion", "slices."
_ATTEMPTS = re.compile(r" \(after \d+ attempts\)$")


class Registration(BaseModel):
    """A registration. Its state is `requested` until it is decided.

    With `promoted`, `rolling_out`, `withdrawn` and `rejected` there is the number of the version. A withdrawn version
    passed its gates and does not serve, because its rollout went back or another version replaced it. `reasons` are the
    gates that it did not pass. With `refused` there is no version, because the model can't be evaluated, and the reason
    says what to export instead. `not_compared` says why a version passed gates that compare it with the one that
    serves without a comparison, for example because none served yet. `artifact` is the digest of the file.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    trigger_id: str
    artifact: str
    status: Literal["requested", "promoted", "rolling_out", "withdrawn", "rejected", "refused"] = "requested"
    version: int | None = None
    reasons: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


def decided(
    requested: Registration, runs: Sequence[Mapping[str, Any]], versions: Sequence[Mapping[str, Any]]
) -> Registration | None:
    """Return the registration with its result. None before it is decided.

    `runs` and `versions` are those of the model, as the registry lists them.
    """
    return _decided(requested, requested.trigger_id, runs, versions)


def _decided(
    requested: Registration, trigger: str, runs: Sequence[Mapping[str, Any]], versions: Sequence[Mapping[str, Any]]
) -> Registration | None:
    run = next((each for each in runs if each["trigger"].get("id") == trigger), None)
    # If the spec is missing, the trainer keeps the request until the spec arrives.
    if run is None or run["state"] == "running" or run.get("reason") == SkipReason.NO_SPEC:
        return None
    if run["state"] != "trained":
        reason = _ATTEMPTS.sub("", run["detail"])
        return requested.model_copy(update={"status": "refused", "reasons": (reason,)})
    version = next((each for each in versions if each["run_id"] == run["run_id"]), None)
    if version is None:
        reason = f"{requested.model} was removed meanwhile: apply its spec, and register the model again"
        return requested.model_copy(update={"status": "refused", "reasons": (reason,)})
    failed = [gate for gate in version["gates"] if not gate["passed"]]
    if [gate["gate"] for gate in failed] == [GateName.STALE_CHAMPION] and not trigger.startswith(_RETRY):
        return _decided(requested, f"{_RETRY}{run['run_id']}", runs, versions)
    return requested.model_copy(
        update={
            "status": "rejected" if failed else _passed(version["state"]),
            "version": version["model_version"],
            "reasons": tuple(gate["message"] for gate in failed),
            "not_compared": tuple(dict.fromkeys(each["message"] for each in version["gates"] if _not_compared(each))),
        }
    )


def _not_compared(gate: Mapping[str, Any]) -> bool:
    """Return whether a gate that compares with the champion passed without a figure."""
    compares = gate["gate"].endswith(_NOT_WORSE) or gate["gate"].startswith(_SLICES)
    return bool(gate["passed"]) and gate.get("observed") is None and compares


def _passed(state: str) -> Literal["promoted", "rolling_out", "withdrawn"]:
    """Return the state of a version that passed its gates. A version on standby was promoted and then replaced."""
    match state:
        case "waiting" | "rolling_out":
            return "rolling_out"
        case "retired" | "rolled_back":
            return "withdrawn"
        case _:
            return "promoted"
