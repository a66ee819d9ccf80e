"""Handlers turn an event into a saved decision. The store is in memory."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rondo.contracts.events.access import TokenChanged
from rondo.contracts.events.models import ModelRemoved
from rondo.contracts.events.monitoring import DataQualityDegraded, Finding, PerformanceDegraded
from rondo.contracts.events.training import TrainingRequested, TrainingSkipped
from rondo.contracts.topics import CONTROL_EVENTS, TOPICS
from rondo.trainer import handlers
from rondo.trainer.adaptation.training_window import AdaptationState
from rondo.trainer.run import Training
from rondo.trainer.triggers.handle_trigger import handle_deferred_triggers, run_id

from tests.trainer import builders
from tests.trainer.fakes import MemoryStore, MemoryUnitOfWork, StoredTraining

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.trainer.run import QueueState


@pytest.fixture
def work() -> MemoryUnitOfWork:
    return MemoryUnitOfWork(MemoryStore())


def test_every_event_that_the_trainer_subscribes_to_has_a_handler() -> None:
    read = {t.event for t in TOPICS if "trainer" in t.readers and t.event in CONTROL_EVENTS} - {TokenChanged}
    assert set(handlers.event_handlers()) == read


async def test_a_first_batch_starts_a_run_of_every_model_of_its_dataset(work: MemoryUnitOfWork) -> None:
    for model in ("a", "b"):
        await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec(model=model))), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("jan", 31)), work)
    assert [run.spec.model for run in work.store.runs] == ["a", "b"]
    trigger = work.store.runs[-1].trigger
    assert (trigger.id, trigger.kind, trigger.at) == ("flights/jan", "data", builders.START + timedelta(days=31))
    assert trigger.detail == "batch jan has 10 rows"
    assert work.store.events == []


async def test_a_spec_that_arrives_after_its_data_starts_the_first_run(work: MemoryUnitOfWork) -> None:
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted()), work)
    spec = builders.spec()
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    assert work.store.runs[-1].trigger.id == f"flights/b1@{spec.digest}@0"
    work.store.end("skipped")
    corrected = builders.spec(trainer={"min_rows": 5})
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(corrected, 2)), work)
    assert len(work.store.runs) == 2
    work.store.end("trained")
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec, 3)), work)
    assert len(work.store.runs) == 2, "once trained, a spec alone trains nothing"


async def test_a_removed_model_is_not_trained(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    removed = ModelRemoved(model="flight-delay", revision=2, decided_by="ana")
    await handlers.on_model_removed(builders.enveloped(removed), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted()), work)
    assert work.store.runs == []


REMOVED = ModelRemoved(model="flight-delay", revision=2, decided_by="ana")


@pytest.mark.parametrize("state", ["trained", "failed", "skipped"])
@pytest.mark.parametrize("order", ["removed first", "applied first"])
async def test_a_spec_that_is_applied_again_after_a_removal_makes_a_new_model(
    work: MemoryUnitOfWork, state: QueueState, order: str
) -> None:
    """Neither its earlier trainings nor its failures, cooldown and budget count."""
    spec = builders.spec(retrain={"on": ["data"], "cooldown": "10000d", "budget_per_week": 3})
    applied = [builders.enveloped(builders.spec_applied(spec, revision)) for revision in (1, 3)]
    await handlers.on_spec_applied(applied[0], work)
    for number in range(3):
        await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted(f"b{number}", number + 1)), work)
        if work.store.runs:
            work.store.end(state)
    before = len(work.store.runs)
    removed = builders.enveloped(REMOVED)
    if order == "removed first":
        await handlers.on_model_removed(removed, work)
        await handlers.on_spec_applied(applied[1], work)
    else:
        await handlers.on_spec_applied(applied[1], work)
        for run in work.store.runs[before:]:  # after runs that trained nothing there may be another try already
            run.state = "skipped"
        before = len(work.store.runs)
        await handlers.on_model_removed(removed, work)
    assert [run.state for run in work.store.runs[before:]] == ["queued"]
    assert work.store.runs[-1].trigger.id.endswith(f"@{spec.digest}@2")
    assert len({run.id for run in work.store.runs}) == len(work.store.runs)


async def test_a_deferred_request_of_a_removed_model_is_deleted(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted()), work)
    await handlers.on_training_requested(builders.enveloped(builders.requested()), work)
    assert work.store.deferred
    await handlers.on_model_removed(builders.enveloped(REMOVED), work)
    assert not work.store.deferred


async def test_a_run_in_flight_of_a_removed_model_ends_before_the_new_model_trains(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted()), work)
    await handlers.on_model_removed(builders.enveloped(REMOVED), work)
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec(), 3)), work)
    assert len(work.store.runs) == 1
    work.store.end("trained")
    await handle_deferred_triggers("flight-delay", work)
    assert [run.state for run in work.store.runs] == ["trained", "queued"]


async def test_findings_and_requests_become_triggers_with_their_figures(work: MemoryUnitOfWork) -> None:
    spec = builders.spec(retrain={"on": ["drift", "performance", "quality"]})
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    seen = builders.drift().model_dump()
    auc = {"statistic": "roc_auc", "value": 0.7, "reference": 0.75}
    worse = PerformanceDegraded(**seen | {"finding_id": "p", "statistics": (auc,)}, labelled_rows=9)
    missing = {"feature": "distance", "statistic": "missing", "value": 0.5, "reference": 0.0}
    bad = DataQualityDegraded(**seen | {"finding_id": "q", "statistics": (missing,)})
    asked = builders.requested()
    await handlers.on_drift_detected(builders.enveloped(builders.drift("d", 10)), work)
    work.store.end("failed")
    await handlers.on_performance_degraded(builders.enveloped(worse), work)
    work.store.end("trained")
    await handlers.on_data_quality_degraded(builders.enveloped(bad), work)
    await handlers.on_training_requested(builders.enveloped(asked), work)
    triggers = [(run.trigger.kind, run.trigger.detail) for run in work.store.runs]
    assert triggers == [
        ("drift", "distance PSI 1.50 (threshold 0.25)"),
        ("performance", "ROC AUC 0.700 (reference 0.750)"),
        ("manual", ""),
    ]
    (cooling,) = work.store.events
    assert (cooling.reason, cooling.trigger.detail) == ("cooldown", "distance missing 50.0% (reference 0.0%)")


@pytest.mark.parametrize("problem", ["silence", "no_outcomes", "with_unknown_words"])
async def test_a_stream_that_has_stopped_triggers_no_training(problem: str, work: MemoryUnitOfWork) -> None:
    spec = builders.spec(retrain={"on": ["quality"]})
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    silent = DataQualityDegraded(**builders.drift().model_dump() | {"problem": problem})
    await handlers.on_data_quality_degraded(builders.enveloped(silent), work)
    assert (work.store.runs, work.store.events) == ([], [])


async def test_a_skip_names_the_run_in_flight(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift("one")), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift("two")), work)
    run, (skipped,) = work.store.runs[-1], work.store.events
    assert skipped == TrainingSkipped(
        model="flight-delay",
        trigger=skipped.trigger,
        reason="in_flight",
        detail=f"{run.id} is queued, for drift one",
        run_id=run.id,
    )


async def test_a_batch_that_arrives_during_a_run_is_handled_after_it(
    work: MemoryUnitOfWork,
) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("jan", 31)), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("feb", 59)), work)
    assert [event.reason for event in work.store.events] == ["in_flight"]
    work.store.end("skipped")
    await handle_deferred_triggers("flight-delay", work)
    assert [run.trigger.id for run in reversed(work.store.runs)] == ["flights/feb", "flights/jan"]
    work.store.end("trained")
    await handle_deferred_triggers("flight-delay", work)
    assert len(work.store.runs) == 2, "it was considered, and is deleted"


async def test_a_request_during_a_run_is_handled_after_it(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift("one")), work)
    asked = TrainingRequested(
        model="flight-delay", trigger=builders.trigger("manual", 1, "by-hand"), requested_by="ann"
    )
    await handlers.on_training_requested(builders.enveloped(asked), work)
    assert [event.reason for event in work.store.events] == ["in_flight"]
    work.store.end("trained")
    await handle_deferred_triggers("flight-delay", work)
    assert [run.trigger.id for run in reversed(work.store.runs)] == ["by-hand", "one"]


async def test_a_finding_during_a_run_is_not_deferred(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift("one")), work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift("two")), work)
    assert work.store.deferred == {}


def counted(kind: str, decision: str) -> float:
    labels = {"kind": kind, "decision": decision}
    return REGISTRY.get_sample_value("rondo_training_triggers_total", labels) or 0.0


@pytest.mark.medium
async def test_a_thousand_findings_are_few_skips_and_each_is_counted(work: MemoryUnitOfWork) -> None:
    """A monitor that catches up publishes a finding for each step, of several kinds in turn, during one run."""
    spec = builders.spec(retrain={"policy": "triggers", "on": ["drift"]})
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    before = {decision: counted("drift", decision) for decision in ("started", "in_flight")}
    for n in range(500):
        await handlers.on_drift_detected(builders.enveloped(builders.drift(f"drift-{n}")), work)
        await handlers.on_performance_suspected(builders.enveloped(builders.suspected(f"suspected-{n}")), work)
    assert [(each.trigger.id, each.reason) for each in work.store.events] == [
        ("suspected-0", "not_subscribed"), ("drift-1", "in_flight"),
    ]  # fmt: skip
    assert {name: counted("drift", name) - count for name, count in before.items()} == {"started": 1, "in_flight": 499}


async def test_a_finding_about_another_version_is_another_decision(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    for name, version in (("one", 1), ("two", 1), ("three", 2), ("four", 2)):
        found = builders.drift(name).model_copy(update={"model_version": version})
        await handlers.on_drift_detected(builders.enveloped(found), work)
    assert [each.trigger.id for each in work.store.events] == ["one", "three"]


async def test_drift_of_a_model_without_a_spec_is_skipped(work: MemoryUnitOfWork) -> None:
    await handlers.on_drift_detected(builders.enveloped(builders.drift()), work)
    assert [event.reason for event in work.store.events] == ["no_spec"]


async def test_a_request_before_the_spec_is_handled_when_the_spec_arrives(work: MemoryUnitOfWork) -> None:
    """Two topics have no order relative to each other, and the request is not repeated."""
    asked = TrainingRequested(
        model="flight-delay", trigger=builders.trigger("manual", 1, "by-hand"), requested_by="ann"
    )
    await handlers.on_training_requested(builders.enveloped(asked), work)
    assert [event.reason for event in work.store.events] == ["no_spec"]
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    assert [run.trigger.id for run in reversed(work.store.runs)] == ["by-hand"]
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec(), 2)), work)
    assert len(work.store.runs) == 1


async def test_each_registration_before_the_spec_is_queued_when_the_spec_arrives(work: MemoryUnitOfWork) -> None:
    asked = [builders.trigger(kind, 1, name) for kind, name in (
        ("registration", "file-1"), ("manual", "by-hand"), ("registration", "file-2"),
    )]  # fmt: skip
    for trigger in asked:
        request = TrainingRequested(model="flight-delay", trigger=trigger, requested_by="ann")
        await handlers.on_training_requested(builders.enveloped(request), work)
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(builders.spec())), work)
    assert [run.trigger for run in work.store.runs] == asked


# Any text that an event may hold.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(TEXT, TEXT, st.sampled_from(["m", "n"]))
def test_a_run_has_one_id_for_its_cause_and_another_for_any_other(one: str, other: str, model: str) -> None:
    first, second = (run_id(model, builders.trigger(name=name)) for name in (one, other))
    assert (first == second) == (one == other)
    assert run_id("other-model", builders.trigger(name=one)) != first


AUTO = builders.spec(retrain={"policy": "auto", "on": [], "cooldown": "0s"})


async def trained_once(work: MemoryUnitOfWork, spec: ModelSpec = AUTO) -> None:
    """Apply a spec and let its first training end, with 1,000 rows."""
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(spec)), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("jan", 31)), work)
    run = work.store.runs[-1]
    run.state = "trained"
    known = Training(1_000, 900, builders.START, AdaptationState(1_000))
    labelled = work.store.labels[spec.model]
    work.store.trainings[spec.model] = StoredTraining(known, labelled, run.spec_revision)


def kinds(work: MemoryUnitOfWork) -> list[str]:
    return [run.trigger.kind for run in work.store.runs]


async def test_windows_with_a_tenth_more_labelled_rows_start_a_training(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(60, "w1")), work)
    assert kinds(work) == ["data"]
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(0, "w2")), work)
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(30, "w3")), work)
    assert kinds(work) == ["data", "new_labels"]
    trigger = work.store.runs[-1].trigger
    assert trigger.id == "labels/w3"
    assert re.findall(r"\d+", trigger.detail or "") == ["90", "10", "900"]
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(500, "w4")), work)
    assert kinds(work) == ["data", "new_labels"]


async def test_windows_that_start_nothing_are_recorded_when_the_reason_changes(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    for name in ("w1", "w2", "w3"):
        await handlers.on_window_closed(builders.enveloped(builders.window_closed(20, name)), work)
    (skipped,) = work.store.events
    assert (skipped.reason, skipped.trigger.kind, skipped.trigger.id) == ("not_enough_data", "new_labels", "labels/w1")
    assert "20 labelled rows" in skipped.detail
    for name in ("w4", "w5", "w6"):
        await handlers.on_window_closed(builders.enveloped(builders.window_closed(90, name)), work)
    assert [each.reason for each in work.store.events] == ["not_enough_data", "in_flight"]
    assert work.store.deferred == {}, "a window is no request"


async def test_a_batch_counts_by_its_rows_and_says_how_many_are_missing(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("feb", 40, rows=89)), work)
    (skipped,) = work.store.events
    assert (skipped.reason, skipped.trigger.kind) == ("not_enough_data", "new_labels")
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("mar", 50, rows=1)), work)
    assert kinds(work) == ["data", "new_labels"]
    assert work.store.runs[-1].trigger.id == "flights/mar"
    # What arrives while it runs is looked at afterwards.
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("apr", 60, rows=500)), work)
    work.store.end("trained")
    await handle_deferred_triggers(AUTO.model, work)
    assert work.store.runs[-1].trigger.id == "flights/apr"


async def test_batches_that_arrive_during_the_first_training_count_by_their_rows(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(AUTO)), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("jan", 31)), work)
    for name, day in (("feb", 40), ("mar", 50)):
        await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted(name, day, rows=500)), work)
    work.store.end("trained")
    work.store.trainings[AUTO.model] = StoredTraining(
        Training(1_000, 1_000, builders.START, AdaptationState(1_000)), 10, 1
    )
    await handle_deferred_triggers(AUTO.model, work)
    assert [(run.trigger.id, run.trigger.kind) for run in work.store.runs] == [
        ("flights/jan", "data"), ("flights/mar", "new_labels"),
    ]  # fmt: skip


async def test_a_batch_of_few_rows_during_the_first_training_waits_for_more(work: MemoryUnitOfWork) -> None:
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(AUTO)), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("jan", 31)), work)
    await handlers.on_batch_accepted(builders.enveloped(builders.batch_accepted("feb", 40, rows=5)), work)
    work.store.end("trained")
    work.store.trainings[AUTO.model] = StoredTraining(
        Training(1_000, 1_000, builders.START, AdaptationState(1_000)), 10, 1
    )
    await handle_deferred_triggers(AUTO.model, work)
    assert kinds(work) == ["data"]
    assert (work.store.events[-1].reason, work.store.events[-1].trigger.kind) == ("not_enough_data", "new_labels")


async def test_a_suspicion_waits_for_labels_and_goes_before_their_growth(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_performance_suspected(builders.enveloped(builders.suspected()), work)
    (skipped,) = work.store.events
    assert (skipped.reason, skipped.trigger.kind) == ("not_enough_data", "suspicion")
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(99, "w1")), work)
    # It has 90 new rows, and a suspicion needs a tenth of the first training.
    assert kinds(work) == ["data", "new_labels"]
    work.store.end("skipped")
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(1, "w2")), work)
    trigger = work.store.runs[-1].trigger
    assert (trigger.kind, trigger.id, trigger.since) == ("suspicion", "suspected-1", builders.START)
    assert trigger.loss_rise == pytest.approx(0.1)
    assert trigger.rows_since == builders.suspected().window.rows
    assert work.store.deferred == {}


async def test_a_drop_that_waits_is_dropped_once_another_version_serves(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await work.save_champion(builders.deployment(1), builders.START)
    await handlers.on_performance_suspected(builders.enveloped(builders.suspected()), work)
    assert [each.id for each in work.store.deferred.values()] == ["suspected-1"]
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(1, "w1")), work)
    assert len(work.store.deferred) == 1, "it is about what serves, and waits"
    await work.save_champion(builders.deployment(2, 2), builders.START)
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(150, "w2")), work)
    assert (kinds(work), work.store.deferred) == (["data", "new_labels"], {})
    (skipped,) = (each for each in work.store.events if each.reason == "outdated")
    assert skipped.trigger.id == "suspected-1"
    assert "version 2" in skipped.detail


async def test_a_drop_that_is_older_than_the_last_training_is_dropped(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(150, "w1")), work)
    await handlers.on_performance_suspected(builders.enveloped(builders.suspected()), work)
    assert work.store.events[-1].reason == "in_flight"
    work.store.end("trained")
    newer = Training(1_150, 1_150, builders.START + timedelta(days=61), AdaptationState(1_000))
    work.store.trainings[AUTO.model] = StoredTraining(newer, 0, 1)
    await handle_deferred_triggers(AUTO.model, work)
    assert (kinds(work), work.store.deferred) == (["data", "new_labels"], {})
    assert (work.store.events[-1].reason, work.store.events[-1].trigger.id) == ("outdated", "suspected-1")


async def test_by_triggers_a_suspicion_and_labels_start_nothing_and_one_skip_says_so(work: MemoryUnitOfWork) -> None:
    await trained_once(work, builders.spec())
    for name in ("one", "two"):
        await handlers.on_performance_suspected(builders.enveloped(builders.suspected(name)), work)
    await handlers.on_window_closed(builders.enveloped(builders.window_closed(5_000, "w1")), work)
    assert kinds(work) == ["data"]
    (skipped,) = work.store.events
    assert (skipped.reason, skipped.trigger.id) == ("not_subscribed", "one")
    assert "add suspicion" not in skipped.detail, "no other policy takes it"


async def test_drift_alone_starts_nothing(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_drift_detected(builders.enveloped(builders.drift()), work)
    assert [event.reason for event in work.store.events] == ["no_harm"]


async def test_labels_of_a_removed_model_do_not_count_for_the_next(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    await handlers.on_model_removed(builders.enveloped(REMOVED), work)
    await handlers.on_spec_applied(builders.enveloped(builders.spec_applied(AUTO, 3)), work)
    assert (await work.history(AUTO.model)).labels.fitted == 0
    assert kinds(work) == ["data", "data"]


async def test_a_rise_of_the_loss_of_a_slice_is_not_taken_for_one_of_all_rows(work: MemoryUnitOfWork) -> None:
    await trained_once(work)
    suspected = builders.suspected()
    of_slice = suspected.statistics[0].model_copy(update={"feature": "city", "category": "a"})
    worse = PerformanceDegraded(
        **suspected.model_dump(include=set(Finding.model_fields) - {"statistics"}),
        statistics=(of_slice,),
        labelled_rows=90,
    )
    await handlers.on_performance_degraded(builders.enveloped(worse), work)
    (skipped,) = work.store.events
    assert (skipped.trigger.kind, skipped.trigger.loss_rise) == ("performance", None)
