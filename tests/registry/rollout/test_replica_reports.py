"""Refusals: whose fault they are, told from what each replica said last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.deployment import ReplicaChanged
from rondo.registry.model.model import Cause, Model
from rondo.registry.rollout import rollback
from rondo.registry.rollout.replica_reports import FORGOTTEN_AFTER, hear, judge, silent

if TYPE_CHECKING:
    from rondo.contracts.events.deployment import ReplicaState
    from rondo.registry.rollout.replica_reports import Words

ModelAfter = Callable[[str], Model]
START = datetime(2013, 3, 1, tzinfo=UTC)


def word(replica: str, state: ReplicaState, version: int, revision: int) -> ReplicaChanged:
    return ReplicaChanged(
        model="late", replica=replica, model_version=version, digest=f"sha256:{'a' * 64}", revision=revision,
        state=state, at=START,
    )  # fmt: skip


def words(*said: tuple[str, ReplicaState, int, int]) -> Words:
    heard: Words = ()
    for each in said:
        heard = hear(heard, word(*each))
    return heard


def shown(heard: Words) -> list[tuple[str, str, int, int]]:
    return [(w.replica, w.state, w.model_version, w.revision) for w in heard]


A1, B1 = ("a", "available", 1, 1), ("b", "available", 1, 1)
A2_REFUSED, B2_REFUSED = ("a", "refused", 2, 2), ("b", "refused", 2, 2)
B2 = ("b", "available", 2, 2)


@pytest.mark.parametrize(
    ("said", "outcome", "why"),
    [
        ((A1, A2_REFUSED), "go_back", "no replica can load it: version 1 takes over again"),
        ((A2_REFUSED,), "go_back", "no replica can load it: version 1 takes over again"),
        ((A1, B1, B2, A2_REFUSED), "keep", "it is available at b: mend the replica that refuses it"),
        ((A1, B1, A2_REFUSED, B2), "keep", "it is available at b: mend the replica that refuses it"),
        ((A1, B1, A2_REFUSED), "wait", "b may be able to load it"),
        ((A1, B1, A2_REFUSED, ("b", "loading", 2, 2)), "wait", "b may be able to load it"),
        ((A1, B1, A2_REFUSED, B2_REFUSED), "go_back", "no replica can load it: version 1 takes over again"),
        ((B2, A2_REFUSED, B2_REFUSED), "go_back", "no replica can load it: version 1 takes over again"),
    ],
)  # fmt: skip
def test_who_is_heard_decides(
    model_after: ModelAfter, said: tuple[tuple[str, ReplicaState, int, int], ...], outcome: str, why: str
) -> None:
    model, heard = model_after("pp"), words(*said)
    verdict = judge(model, heard, silent(model, heard))
    assert (verdict.outcome, verdict.why) == (outcome, why)


def test_who_stays_silent_is_waited_for_and_then_counts_no_more(model_after: ModelAfter) -> None:
    model, heard = model_after("pp"), words(A1, B1, A2_REFUSED)
    assert silent(model, heard) == {"b"}
    assert judge(model, heard, {"b"}).outcome == "wait"
    assert judge(model, heard, ()).outcome == "go_back"


def test_the_only_version_is_never_taken_out_of_service(model_after: ModelAfter) -> None:
    model, heard = model_after("p"), words(("a", "refused", 1, 1))
    verdict = judge(model, heard, ())
    assert (verdict.outcome, verdict.why) == (
        "keep", "there is no earlier version to go back to: mend the replicas, or train again",
    )  # fmt: skip


def test_a_replica_with_an_empty_folder_takes_back_one_version_and_not_the_next(model_after: ModelAfter) -> None:
    model, heard = model_after("ppp"), words(("a", "refused", 3, 3))
    verdict = judge(model, heard, ())
    assert verdict.target is not None
    back = rollback.go_back(model, verdict.target, Cause("registry")).after
    again = judge(back, hear(heard, word("a", "refused", 2, 4)), ())
    assert (again.outcome, again.why) == (
        "keep", "it has served before: mend the replicas, or bring its artifact back",
    )  # fmt: skip


def test_a_word_on_an_earlier_deployment_speaks_for_nothing(model_after: ModelAfter) -> None:
    model, heard = model_after("pp"), words(("b", "available", 2, 1), A2_REFUSED)
    assert judge(model, heard, silent(model, heard)).outcome == "wait"


def test_old_news_and_a_next_try_change_nothing() -> None:
    heard = words(A1, A2_REFUSED)
    assert hear(heard, word("a", "loading", 2, 2)) == heard
    assert hear(heard, word("a", "refused", 2, 2).model_copy(update={"at": START + timedelta(days=1)})) == heard
    assert hear(heard, word("a", "available", 2, 1)) == heard
    assert shown(heard) == [A1, A2_REFUSED]


def test_who_has_swapped_serves_nothing_of_before() -> None:
    heard = words(A1, B1, A2_REFUSED, ("a", "available", 2, 2))
    assert shown(heard) == [("a", "available", 2, 2), B1]
    assert shown(words(A1, ("a", "draining", 1, 2), ("a", "unloaded", 1, 2))) == []


def test_who_was_silent_for_long_is_forgotten() -> None:
    heard = words(A1, B1, ("b", "available", 3, 1 + FORGOTTEN_AFTER))
    assert shown(heard) == [A1, ("b", "available", 3, 1 + FORGOTTEN_AFTER)]
    assert shown(hear(heard, word("b", "available", 4, 2 + FORGOTTEN_AFTER))) == [
        ("b", "available", 4, 2 + FORGOTTEN_AFTER)
    ]


SAID = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["loading", "available", "draining", "unloaded", "refused"]),
        st.integers(1, 3),
        st.integers(1, 3),
    )
)


@given(SAID)
def test_a_version_that_is_available_anywhere_is_never_gone_back_from(
    model_after: ModelAfter, said: list[tuple[str, ReplicaState, int, int]]
) -> None:
    model, heard = model_after("ppp"), words(*said)
    available = [w for w in heard if w.state == "available" and w.revision == w.model_version == 3]
    verdict = judge(model, heard, silent(model, heard))
    assert not (available and verdict.outcome == "go_back")
    assert (verdict.target is not None) == (verdict.outcome == "go_back")
    assert len({(w.replica, w.model_version) for w in heard}) == len(heard)
