"""The result of a registration, from the registry's lists."""

from __future__ import annotations

from typing import Any

import pytest
from rondo.client.registration.outcome import Registration, updated
from rondo.contracts.vocabularies import VersionState, known

from tests.support.unknown_words import WORD

REQUESTED = Registration(model="late", trigger_id="t", artifact=f"sha256:{'a' * 64}")


def run(state: str, trigger: str = "t", run_id: str = "run-1", **more: Any) -> dict[str, Any]:
    return {"run_id": run_id, "state": state, "trigger": {"id": trigger}, "reason": None, "detail": ""} | more


def version(number: int, run_id: str = "run-1", **failed: str) -> dict[str, Any]:
    gates = [{"gate": "artifact.new", "passed": True, "message": "new"}]
    gates += [{"gate": gate, "passed": False, "message": message} for gate, message in failed.items()]
    return {"model_version": number, "run_id": run_id, "gates": gates, "state": "champion"}


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        ([], ""),
        ([run("trained", "other")], ""),
        ([run("running")], "running"),
        ([run(WORD)], WORD),
        ([run("skipped", reason="no_spec", run_id="skip-1")], ""),
    ],
)
def test_it_is_requested_before_the_run_has_ended(runs: list[dict[str, Any]], state: str) -> None:
    assert updated(REQUESTED, runs, [version(1)]) == REQUESTED.model_copy(update={"state": state})


def test_it_is_requested_while_the_state_of_its_version_is_an_unknown_word() -> None:
    found = updated(REQUESTED, [run("trained")], [version(3) | {"state": WORD}])
    assert found == REQUESTED.model_copy(update={"state": WORD, "version": 3})


def test_a_version_that_failed_a_gate_is_rejected_whatever_its_state() -> None:
    assert updated(REQUESTED, [run("trained")], [version(3, auc="low") | {"state": WORD}]).status == "rejected"


@pytest.mark.parametrize("state", known(VersionState))
def test_every_known_state_of_a_version_is_a_result(state: str) -> None:
    assert updated(REQUESTED, [run("trained")], [version(3) | {"state": state}]).status != "requested"


@pytest.mark.parametrize(
    ("runs", "versions", "status", "number", "reasons"),
    [
        ([run("trained")], [version(3)], "promoted", 3, ()),
        ([run("trained")], [version(3) | {"state": "waiting"}], "rolling_out", 3, ()),
        ([run("trained")], [version(3) | {"state": "rolling_out"}], "rolling_out", 3, ()),
        ([run("trained")], [version(3) | {"state": "standby"}], "promoted", 3, ()),
        ([run("trained")], [version(3) | {"state": "rolled_back"}], "withdrawn", 3, ()),
        ([run("trained")], [version(3) | {"state": "retired"}], "withdrawn", 3, ()),
        ([run("trained")], [version(3, auc="ROC AUC 0.5")], "rejected", 3, ("ROC AUC 0.5",)),
        ([run("failed", detail="no ONNX (after 1 attempts)")], [], "refused", None, ("no ONNX",)),
        ([run("skipped", detail="5 of 10 rows", reason="not_enough_data")], [], "refused", None, ("5 of 10 rows",)),
    ],
)
def test_the_end_of_the_run_and_its_gates_decide(
    runs: list[Any], versions: list[Any], status: str, number: int | None, reasons: tuple[str, ...]
) -> None:
    found = updated(REQUESTED, runs, versions)
    assert (found.status, found.version, found.reasons) == (status, number, reasons)


def test_a_version_that_was_not_compared_with_the_one_that_serves_says_why() -> None:
    compared = {"gate": "roc_auc.not_worse_than_champion", "passed": True, "observed": 0.01, "message": "it is better"}
    absolute = {"gate": "roc_auc.min", "passed": True, "observed": None, "message": "no bound"}
    others = [compared | {"gate": f"{name}.not_worse_than_champion", "observed": None} for name in ("brier", "ece")]
    why = "no rows"
    gates = [compared, absolute, *(each | {"message": why} for each in others)]
    found = updated(REQUESTED, [run("trained")], [version(3) | {"gates": gates}])
    assert (found.status, found.not_compared) == ("promoted", (why,))


def test_a_model_that_was_removed_meanwhile_has_no_version() -> None:
    found = updated(REQUESTED, [run("trained")], [])
    assert "was removed meanwhile" in found.reasons[0]


def test_a_comparison_with_a_stale_champion_is_repeated_once() -> None:
    first, stale = run("trained"), version(3, stale_champion="version 2 serves by now")
    assert updated(REQUESTED, [first], [stale]) == REQUESTED
    retry = run("trained", "stale-champion/run-1", "run-2")
    found = updated(REQUESTED, [retry, first], [stale, version(4, "run-2")])
    assert (found.status, found.version) == ("promoted", 4)
    again = updated(REQUESTED, [retry, first], [stale, version(4, "run-2", stale_champion="again")])
    assert (again.status, again.version) == ("rejected", 4)
