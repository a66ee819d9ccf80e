"""Refusals: the latest reports of all replicas decide whether the version or the replica is the cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.registry.model.model import Actor, Model
from rondo.registry.rollout import rollback
from rondo.registry.rollout.rollback_decision import (
    GONE_AFTER_REVISIONS,
    decide_rollback,
    merge_report,
    missing_replicas,
)

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import ReplicaState
    from rondo.registry.rollout.rollback_decision import ReplicaReports

ModelAfter = Callable[[str], Model]
START = datetime(2013, 3, 1, tzinfo=UTC)


def report(replica: str, state: ReplicaState, version: int, revision: int) -> ReplicaChanged:
    return ReplicaChanged(
        model="late", replica=replica, model_version=version, digest=f"sha256:{'a' * 64}", revision=revision,
        state=state, at=START,
    )  # fmt: skip


def merged(*given: tuple[str, ReplicaState, int, int]) -> ReplicaReports:
    reports: ReplicaReports = ()
    for each in given:
        reports = merge_report(reports, report(*each))
    return reports


def shown(reports: ReplicaReports) -> list[tuple[str, str, int, int]]:
    return [(w.replica, w.state, w.model_version, w.revision) for w in reports]


A1, B1 = ("a", "available", 1, 1), ("b", "available", 1, 1)
A2_REFUSED, B2_REFUSED = ("a", "refused", 2, 2), ("b", "refused", 2, 2)
B2 = ("b", "available", 2, 2)


@pytest.mark.parametrize(
    ("given", "outcome", "target", "named"),
    [
        ((A1, A2_REFUSED), "roll_back", 1, "version 1"),
        ((A2_REFUSED,), "roll_back", 1, "version 1"),
        ((A1, B1, B2, A2_REFUSED), "keep", None, "at b"),
        ((A1, B1, A2_REFUSED, B2), "keep", None, "at b"),
        ((A1, B1, A2_REFUSED), "wait", None, "b"),
        ((A1, B1, A2_REFUSED, ("b", "loading", 2, 2)), "wait", None, "b"),
        ((A1, B1, A2_REFUSED, B2_REFUSED), "roll_back", 1, "version 1"),
        ((B2, A2_REFUSED, B2_REFUSED), "roll_back", 1, "version 1"),
    ],
)  # fmt: skip
def test_the_latest_reports_decide(
    model_after: ModelAfter, given: tuple[tuple[str, ReplicaState, int, int], ...], outcome: str, target: int | None,
    named: str,
) -> None:  # fmt: skip
    model, reports = model_after("pp"), merged(*given)
    decision = decide_rollback(model, reports, missing_replicas(model, reports))
    assert (decision.outcome, decision.target and decision.target.number) == (outcome, target)
    assert re.search(rf"\b{named}\b", decision.why)


def test_a_replica_without_a_report_is_waited_for_until_the_timeout(model_after: ModelAfter) -> None:
    model, reports = model_after("pp"), merged(A1, B1, A2_REFUSED)
    assert missing_replicas(model, reports) == {"b"}
    assert decide_rollback(model, reports, {"b"}).outcome == "wait"
    assert decide_rollback(model, reports, ()).outcome == "roll_back"


def test_the_only_version_is_never_withdrawn(model_after: ModelAfter) -> None:
    model, reports = model_after("p"), merged(("a", "refused", 1, 1))
    decision = decide_rollback(model, reports, ())
    assert (decision.outcome, decision.why) == (
        "keep", "there is no earlier version to go back to: repair the replicas, or train again",
    )  # fmt: skip


def test_a_replica_with_an_empty_store_rolls_back_one_version_and_not_the_next(model_after: ModelAfter) -> None:
    model, reports = model_after("ppp"), merged(("a", "refused", 3, 3))
    decision = decide_rollback(model, reports, ())
    assert decision.target is not None
    back = rollback.roll_back_to(model, decision.target, Actor("registry")).after
    again = decide_rollback(back, merge_report(reports, report("a", "refused", 2, 4)), ())
    assert (again.outcome, again.why) == (
        "keep", "it has served before: repair the replicas, or restore its artifact",
    )  # fmt: skip


def test_a_report_on_an_earlier_deployment_decides_nothing(model_after: ModelAfter) -> None:
    model, reports = model_after("pp"), merged(("b", "available", 2, 1), A2_REFUSED)
    assert decide_rollback(model, reports, missing_replicas(model, reports)).outcome == "wait"


def test_an_old_report_and_a_retry_change_nothing() -> None:
    reports = merged(A1, A2_REFUSED)
    assert merge_report(reports, report("a", "loading", 2, 2)) == reports
    assert (
        merge_report(reports, report("a", "refused", 2, 2).model_copy(update={"at": START + timedelta(days=1)}))
        == reports
    )
    assert merge_report(reports, report("a", "available", 2, 1)) == reports
    assert shown(reports) == [A1, A2_REFUSED]


def test_after_a_swap_reports_on_earlier_deployments_are_dropped() -> None:
    reports = merged(A1, B1, A2_REFUSED, ("a", "available", 2, 2))
    assert shown(reports) == [("a", "available", 2, 2), B1]
    assert shown(merged(A1, ("a", "draining", 1, 2), ("a", "unloaded", 1, 2))) == []


def test_a_replica_without_reports_for_many_revisions_counts_as_gone() -> None:
    reports = merged(A1, B1, ("b", "available", 3, 1 + GONE_AFTER_REVISIONS))
    assert shown(reports) == [A1, ("b", "available", 3, 1 + GONE_AFTER_REVISIONS)]
    assert shown(merge_report(reports, report("b", "available", 4, 2 + GONE_AFTER_REVISIONS))) == [
        ("b", "available", 4, 2 + GONE_AFTER_REVISIONS)
    ]


REPORTS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["loading", "available", "draining", "unloaded", "refused"]),
        st.integers(1, 3),
        st.integers(1, 3),
    )
)


@pytest.mark.medium
@given(REPORTS)
def test_a_version_that_is_available_anywhere_is_never_rolled_back(
    model_after: ModelAfter, given: list[tuple[str, ReplicaState, int, int]]
) -> None:
    model, reports = model_after("ppp"), merged(*given)
    available = [w for w in reports if w.state == "available" and w.revision == w.model_version == 3]
    decision = decide_rollback(model, reports, missing_replicas(model, reports))
    assert not (available and decision.outcome == "roll_back")
    assert (decision.target is not None) == (decision.outcome == "roll_back")
    assert len({(w.replica, w.model_version) for w in reports}) == len(reports)
