"""The decision whether to train now, as a function of values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.training import Trigger
from rondo.contracts.spec.model import ModelSpec
from rondo.trainer.run import History, PastRun
from rondo.trainer.triggers.admission import AlreadyHandled, Skip, Start, admit

START = datetime(2013, 3, 1, tzinfo=UTC)


def spec(**retrain: object) -> ModelSpec:
    return ModelSpec.model_validate(
        {
            "model": "flight-delay",
            "data": {"dataset": "flights", "entity": "flight_id", "event_time": "departure", "label": "late"},
            "features": {"carrier": {"type": "category"}},
            "retrain": {"on": ["drift", "performance"], "cooldown": "14d", "budget_per_week": 2} | retrain,
        }
    )


def trigger(kind: str = "drift", day: float = 0, name: str = "") -> Trigger:
    return Trigger.model_validate(
        {"id": name or f"{kind}-{day}", "kind": kind, "at": START + timedelta(days=day), "detail": ""}
    )


def past(state: str, kind: str = "drift", day: float = -30, **changes: str) -> PastRun:
    values = {"id": f"run-{state}-{day}", "spec_digest": spec().digest, "state": state} | changes
    return PastRun(trigger=trigger(kind, day), **values)  # type: ignore[arg-type]


def test_a_subscribed_trigger_starts_a_run() -> None:
    assert admit(trigger(), spec(), History()) == Start()


def test_without_a_spec_there_is_nothing_to_train() -> None:
    decision = admit(trigger(), None, History())
    assert isinstance(decision, Skip)
    assert decision.reason == "no_spec"


def test_a_trigger_that_the_spec_does_not_list_is_skipped() -> None:
    decision = admit(trigger("quality"), spec(), History())
    assert isinstance(decision, Skip)
    assert decision.reason == "not_subscribed"
    assert re.search("drift, performance, .*quality", decision.detail)
    assert f"`rondo train {spec().model}`" in decision.detail


def test_data_starts_the_first_training_whatever_the_spec_lists() -> None:
    assert admit(trigger("data"), spec(), History((past("failed"),))) == Start()
    decision = admit(trigger("data"), spec(), History((past("trained"),), ever_trained=True))
    assert isinstance(decision, Skip)
    assert decision.reason == "not_subscribed"


def test_a_schedule_needs_a_cron_line() -> None:
    assert admit(trigger("schedule"), spec(on=["cron: 0 3 * * 1"]), History()) == Start()
    assert isinstance(admit(trigger("schedule"), spec(), History()), Skip)


def test_the_same_trigger_is_known_even_when_its_run_is_over_or_in_flight() -> None:
    for state in ("queued", "running", "trained", "failed", "skipped"):
        assert admit(trigger(day=-30), spec(), History((past(state),))) == AlreadyHandled(f"run-{state}--30")


def test_while_a_run_is_in_flight_the_skip_names_it() -> None:
    running = past("running", day=-1)
    expected = Skip("in_flight", "run-running--1 is running, for drift drift--1", "run-running--1")
    assert admit(trigger(), spec(), History((running,))) == expected
    assert admit(trigger("manual"), spec(), History((running,))) == expected


def test_cooldown_counts_from_the_last_training_in_event_time() -> None:
    history = History((past("trained", day=-13.9),), ever_trained=True)
    assert admit(trigger(), spec(), history) == Skip(
        "cooldown", "run-trained--13.9 trained at 2013-02-15 02:24, less than 2w before"
    )
    assert admit(trigger(), spec(), History((past("trained", day=-14),), ever_trained=True)) == Start()
    assert admit(trigger("manual"), spec(), history) == Start()


def test_what_did_not_train_starts_no_cooldown() -> None:
    assert admit(trigger(), spec(), History((past("failed", day=-1), past("skipped", day=-2)))) == Start()


def test_a_training_by_hand_years_later_does_not_block_a_replay() -> None:
    by_hand = past("trained", "manual", day=4000)
    assert admit(trigger(), spec(), History((by_hand,), ever_trained=True)) == Start()


def test_the_budget_of_the_week_is_spent_by_what_trained_and_what_failed() -> None:
    history = History((past("failed", day=-1), past("trained", day=-2)), ever_trained=True)
    skipped = admit(trigger(), spec(cooldown="1h"), history)
    assert isinstance(skipped, Skip)
    assert skipped.reason == "budget"
    assert re.findall("^2 of 2|retrain.budget_per_week", skipped.detail) == ["2 of 2", "retrain.budget_per_week"]
    assert admit(trigger("manual"), spec(cooldown="1h"), history) == Start()
    assert admit(trigger(day=5), spec(cooldown="1h"), history) == Start()


def test_three_failures_in_a_row_open_the_breaker_until_a_success_or_a_new_spec_closes_it() -> None:
    failed = tuple(past("failed", day=-10 - n) for n in range(3))
    decision = admit(trigger(), spec(), History(failed))
    assert isinstance(decision, Skip)
    assert decision.reason == "breaker_open"
    assert admit(trigger("manual"), spec(), History(failed)) == Start()
    assert admit(trigger(), spec(on=["drift"]), History(failed)) == Start()
    assert admit(trigger(), spec(), History(failed[:2])) == Start()
    assert admit(trigger(), spec(), History((past("trained", day=-14), *failed), ever_trained=True)) == Start()


def test_failures_of_runs_by_hand_neither_open_the_breaker_nor_use_the_budget() -> None:
    by_hand = tuple(past("failed", "manual", day=-n / 24) for n in range(5))
    assert admit(trigger(), spec(), History(by_hand)) == Start()
    assert admit(trigger(), spec(), History((past("failed", day=-10), *by_hand, past("failed", day=-11)))) == Start()
    automatic = tuple(past("failed", day=-10 - n) for n in range(3))
    decision = admit(trigger(), spec(), History((*by_hand, *automatic)))
    assert isinstance(decision, Skip)
    assert decision.reason == "breaker_open"


KINDS = st.sampled_from(["drift", "performance", "quality", "data"])


@given(st.lists(st.tuples(KINDS, st.floats(0, 60), st.sampled_from(["trained", "failed", "skipped"])), max_size=60))
def test_no_sequence_of_findings_trains_more_often_than_the_spec_allows(findings: list[tuple[str, float, str]]) -> None:
    """For any findings in any order, trainings are a cooldown apart, and a week has no more than its budget."""
    allowed = spec(cooldown="2d")
    runs: tuple[PastRun, ...] = ()
    for kind, day, end in findings:
        asked = trigger(kind, day)
        if admit(asked, allowed, History(runs, any(run.state == "trained" for run in runs))) == Start():
            runs = (PastRun(f"run-{len(runs)}", asked, allowed.digest, end), *runs)  # type: ignore[arg-type]
    times = sorted(run.trigger.at for run in runs if run.state == "trained")
    assert all(later - earlier >= timedelta(days=2) for earlier, later in pairwise(times))
    spent = sorted(run.trigger.at for run in runs if run.state != "skipped")
    assert all(sum(at <= t < at + timedelta(days=7) for t in spent) <= 2 for at in spent)
    assert len({run.trigger.id for run in runs}) == len(runs)


def test_a_registration_starts_whatever_ran_before() -> None:
    """It does not train, so no run in flight, breaker, cooldown or budget applies to it."""
    trained, failed = (past(state, day=-0.1 * n) for n, state in enumerate(("trained", "failed"), 1))
    history = History((past("running", day=-1), trained, failed, failed, failed), ever_trained=True)
    assert admit(trigger("registration"), spec(budget_per_week=1), history) == Start()


@pytest.mark.medium
def test_a_registration_counts_as_no_training() -> None:
    ended = [past("trained", "registration", -0.1 * n) for n in range(1, 4)]
    failed = [past("failed", "registration", -0.1 * n) for n in range(4, 8)]
    assert admit(trigger(), spec(), History((*failed, *ended), ever_trained=True)) == Start()
