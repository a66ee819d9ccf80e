"""From an event to a decision that is saved: in memory, but for the events themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rondo.contracts.events.monitoring import DataQualityDegraded, PerformanceDegraded
from rondo.contracts.events.training import TrainingRequested, TrainingSkipped
from rondo.contracts.topics import CONTROL_EVENTS, TOPICS
from rondo.trainer import handlers
from rondo.trainer.triggers.handle_trigger import reconsider, run_id


def test_every_event_that_the_table_says_the_trainer_reads_has_a_handler() -> None:
    read = {t.event for t in TOPICS if "trainer" in t.readers and t.event in CONTROL_EVENTS}
    assert set(handlers.routes().handlers) == read


async def test_a_first_batch_starts_a_run_of_every_model_of_its_dataset(memory: Any, make: Any) -> None:
    for model in ("a", "b"):
        await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec(model=model))), memory)
    await handlers.on_batch_accepted(make.enveloped(make.batch_accepted("jan", 31)), memory)
    assert [model for model, _ in memory.runs] == ["b", "a"]
    trigger = memory.runs[0][1].trigger
    assert (trigger.id, trigger.kind, trigger.at) == ("flights/jan", "data", make.start + timedelta(days=31))
    assert trigger.detail == "batch jan brought 10 rows"
    assert memory.published == []


async def test_a_spec_that_comes_after_its_data_starts_the_first_run(memory: Any, make: Any) -> None:
    await handlers.on_batch_accepted(make.enveloped(make.batch_accepted()), memory)
    spec = make.spec()
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(spec)), memory)
    assert memory.runs[0][1].trigger.id == f"flights/b1@{spec.digest}"
    memory.end("skipped")
    mended = make.spec(trainer={"min_rows": 5})
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(mended, 2)), memory)
    assert len(memory.runs) == 2
    memory.end("trained")
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(spec, 3)), memory)
    assert len(memory.runs) == 2, "once trained, a spec alone trains nothing"


async def test_findings_and_requests_become_triggers_that_say_what_was_seen(memory: Any, make: Any) -> None:
    spec = make.spec(retrain={"on": ["drift", "performance", "quality"]})
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(spec)), memory)
    seen = make.drift().model_dump() | {"features": ()}
    worse = PerformanceDegraded(
        **seen | {"finding_id": "p"}, metric="roc_auc", reference=0.75, observed=0.7, labelled_rows=9
    )
    problem = {"feature": "distance", "problem": "missing", "observed": 0.5, "reference": 0.0}
    bad = DataQualityDegraded(**seen | {"finding_id": "q"}, problems=(problem,))
    asked = TrainingRequested(model=spec.model, trigger=make.trigger("manual", 1, "by-hand"), requested_by="ann")
    await handlers.on_drift_detected(make.enveloped(make.drift("d", 10)), memory)
    memory.end("failed")
    await handlers.on_performance_degraded(make.enveloped(worse), memory)
    memory.end("trained")
    await handlers.on_data_quality_degraded(make.enveloped(bad), memory)
    await handlers.on_training_requested(make.enveloped(asked), memory)
    told = [(run.trigger.kind, run.trigger.detail) for _, run in reversed(memory.runs)]
    assert told == [
        ("drift", "distance PSI 1.50 (bound 0.25)"),
        ("performance", "roc_auc 0.700, 0.750 on the holdout"),
        ("manual", ""),
    ]
    (cooling,) = memory.published
    assert (cooling.reason, cooling.trigger.detail) == ("cooldown", "distance 50% missing")


async def test_a_skip_names_the_run_in_flight(memory: Any, make: Any) -> None:
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec())), memory)
    await handlers.on_drift_detected(make.enveloped(make.drift("one")), memory)
    await handlers.on_drift_detected(make.enveloped(make.drift("two")), memory)
    (_, run), (skipped,) = memory.runs[0], memory.published
    assert skipped == TrainingSkipped(
        model="flight-delay",
        trigger=skipped.trigger,
        reason="in_flight",
        detail=f"{run.id} is queued, for drift one",
        run_id=run.id,
    )


async def test_a_batch_that_comes_while_too_few_rows_are_being_trained_on_is_not_forgotten(
    memory: Any, make: Any
) -> None:
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec())), memory)
    await handlers.on_batch_accepted(make.enveloped(make.batch_accepted("jan", 31)), memory)
    await handlers.on_batch_accepted(make.enveloped(make.batch_accepted("feb", 59)), memory)
    assert [event.reason for event in memory.published] == ["in_flight"]
    memory.end("skipped")
    await reconsider("flight-delay", memory)
    assert [run.trigger.id for _, run in memory.runs] == ["flights/feb", "flights/jan"]
    memory.end("trained")
    await reconsider("flight-delay", memory)
    assert len(memory.runs) == 2, "it was considered, and is forgotten"


async def test_what_is_asked_for_during_a_run_is_done_after_it(memory: Any, make: Any) -> None:
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec())), memory)
    await handlers.on_drift_detected(make.enveloped(make.drift("one")), memory)
    asked = TrainingRequested(model="flight-delay", trigger=make.trigger("manual", 1, "by-hand"), requested_by="ann")
    await handlers.on_training_requested(make.enveloped(asked), memory)
    assert [event.reason for event in memory.published] == ["in_flight"]
    memory.end("trained")
    await reconsider("flight-delay", memory)
    assert [run.trigger.id for _, run in memory.runs] == ["by-hand", "one"]


async def test_a_finding_that_meets_a_run_in_flight_waits_for_its_next_telling(memory: Any, make: Any) -> None:
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec())), memory)
    await handlers.on_drift_detected(make.enveloped(make.drift("one")), memory)
    await handlers.on_drift_detected(make.enveloped(make.drift("two")), memory)
    assert memory.deferred == {}


async def test_drift_of_a_model_without_a_spec_is_skipped(memory: Any, make: Any) -> None:
    await handlers.on_drift_detected(make.enveloped(make.drift()), memory)
    assert [event.reason for event in memory.published] == ["no_spec"]


async def test_what_somebody_asked_for_before_the_spec_came_is_done_when_it_has(memory: Any, make: Any) -> None:
    """Two topics have no order among each other, and nobody asks twice."""
    asked = TrainingRequested(model="flight-delay", trigger=make.trigger("manual", 1, "by-hand"), requested_by="ann")
    await handlers.on_training_requested(make.enveloped(asked), memory)
    assert [event.reason for event in memory.published] == ["no_spec"]
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec())), memory)
    assert [run.trigger.id for _, run in memory.runs] == ["by-hand"]
    await handlers.on_spec_applied(make.enveloped(make.spec_applied(make.spec(), 2)), memory)
    assert len(memory.runs) == 1


@given(st.text(), st.text(), st.sampled_from(["m", "n"]))
def test_a_run_has_one_id_for_its_cause_and_another_for_any_other(make: Any, one: str, other: str, model: str) -> None:
    first, second = (run_id(model, make.trigger(name=name)) for name in (one, other))
    assert (first == second) == (one == other)
    assert run_id("other-model", make.trigger(name=one)) != first
