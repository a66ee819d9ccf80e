"""With `policy: auto` labelled rows decide whether a trigger starts a training."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rondo.contracts.events.training import Trigger
from rondo.trainer.adaptation.comparability import comparability_digest
from rondo.trainer.run import History, Labels, PastRun
from rondo.trainer.triggers.admission import Decision, Skip, Start, admit, with_growth

from tests.trainer import builders

START = datetime(2013, 3, 1, tzinfo=UTC)
AUTO = builders.spec(retrain={"policy": "auto", "on": [], "cooldown": "1d"})


def trigger(kind: str, day: float = 0) -> Trigger:
    return Trigger(id=f"{kind}-{day}", kind=kind, at=START + timedelta(days=day))


def decided(
    kind: str, new: int = 0, spec: Any = AUTO, *, rise: float | None = None, rows: int | None = None, **labels: Any
) -> Decision:
    """Decide on a trigger of a model that was fitted to 3,000 rows, after a first training with 2,000."""
    past = PastRun("run-1", trigger("data", -30), spec.digest, "trained")
    known = {"first": 2_000, "fitted": 3_000, "basis": comparability_digest(spec)} | labels
    found = trigger(kind).model_copy(update={"loss_rise": rise, "rows_since": rows})
    return admit(found, spec, History((past,), True, 0, Labels(new, **known)))  # noqa: FBT003


def reason(decision: Decision) -> str:
    assert isinstance(decision, Skip)
    return decision.reason


def test_labelled_rows_that_have_grown_by_a_tenth_start_a_training() -> None:
    assert decided("new_labels", 300) == Start()
    few = decided("new_labels", 299)
    assert reason(few) == "not_enough_data"
    assert isinstance(few, Skip)
    assert all(figure in few.detail for figure in ("299", "10%", "3,000", "300"))


def test_that_the_trainer_backs_off_is_said() -> None:
    costs = builders.spec(retrain={"policy": "auto", "on": [], "training_cost": 1, "error_cost": 1})
    usual, later = (decided("new_labels", 599, costs, growth=growth) for growth in (0.1, 0.2))
    assert isinstance(usual, Start)
    assert isinstance(later, Skip)
    assert [part for part in ("gained nothing", "20%", "600") if part not in later.detail] == []
    assert "gained nothing" not in getattr(decided("new_labels", 299, costs), "detail", "gained nothing")


def test_of_few_rows_ninety_have_to_be_new() -> None:
    assert decided("new_labels", 90, fitted=200) == Start()
    assert reason(decided("new_labels", 89, fitted=200)) == "not_enough_data"


def test_a_change_that_was_not_confirmed_is_looked_into_again_before_the_rows_have_grown() -> None:
    assert decided("new_labels", 250, again=250) == Start()
    few = decided("new_labels", 249, again=250)
    assert reason(few) == "not_enough_data"
    assert isinstance(few, Skip)
    assert "250" in few.detail
    assert reason(decided("new_labels", 199, again=50)) == "not_enough_data", "a chunk at least"
    assert decided("new_labels", 300, again=5_000) == Start(), "the growth suffices"


@pytest.mark.parametrize("kind", ["suspicion", "performance"])
def test_a_drop_of_the_performance_needs_a_chunk_of_new_labels(kind: str) -> None:
    assert decided(kind, 200) == Start()
    assert reason(decided(kind, 199)) == "not_enough_data"


def test_a_certain_drop_of_a_large_model_does_not_wait_for_a_chunk() -> None:
    """A chunk has 20,000 rows."""
    large = {"first": 400_000, "fitted": 400_000}
    assert decided("performance", 400, rise=0.05, **large) == Start()
    assert reason(decided("performance", 399, rise=0.05, **large)) == "not_enough_data"
    assert reason(decided("performance", 19_999, **large)) == "not_enough_data"
    assert reason(decided("suspicion", 19_999, rise=0.05, **large)) == "not_enough_data"


@pytest.mark.parametrize("kind", ["drift", "quality"])
def test_inputs_that_change_start_nothing(kind: str) -> None:
    assert reason(decided(kind, 1_000_000)) == "no_harm"


def test_people_and_schedules_start_a_training_without_new_labels() -> None:
    scheduled = builders.spec(retrain={"policy": "auto", "on": ["cron: 0 3 * * 1"]})
    assert decided("manual") == Start()
    assert decided("schedule", spec=scheduled) == Start()
    assert reason(decided("schedule")) == "not_subscribed"


def test_a_word_that_a_later_release_adds_starts_nothing() -> None:
    assert reason(decided("forecast", 1_000_000)) == "not_subscribed"


def test_the_first_training_needs_data_or_as_many_labels_as_a_training() -> None:
    assert admit(trigger("data"), AUTO, History()) == Start()
    assert admit(trigger("new_labels"), AUTO, History(labels=Labels(1_000))) == Start()
    assert reason(admit(trigger("new_labels"), AUTO, History(labels=Labels(999)))) == "not_enough_data"


def test_cooldown_and_budget_hold_as_ever() -> None:
    recent = PastRun("run-1", trigger("new_labels", -0.5), AUTO.digest, "trained")
    history = History((recent,), True, 0, Labels(5_000, 2_000, 3_000))  # noqa: FBT003
    assert reason(admit(trigger("new_labels"), AUTO, history)) == "cooldown"
    assert reason(admit(trigger("suspicion"), AUTO, history)) == "cooldown"


def test_where_costs_are_given_labels_start_a_training_only_if_it_pays() -> None:
    costs = {"training_cost": 10.0, "error_cost": 2.0}
    spec = builders.spec(retrain={"policy": "auto", "on": [], **costs})
    assert decided("new_labels", 500, spec, gain=0.02) == Start()
    dear = decided("new_labels", 500, spec, gain=0.01)
    assert reason(dear) == "no_gain"
    assert isinstance(dear, Skip)
    assert all(figure in dear.detail for figure in ("0.0100", "worth 10", "500", "retrain.training_cost"))
    # What past trainings gained is not known yet, or the performance may have dropped.
    assert decided("new_labels", 500, spec, gain=None) == Start()
    assert decided("suspicion", 500, spec, gain=0.0) == Start()
    # Before anything is known of the gain, it is a share of the loss at most: a sixth of .1 with a fifth more rows.
    assert decided("new_labels", 600, spec, loss=0.1) == Start()
    assert reason(decided("new_labels", 300, spec, loss=0.1)) == "no_gain"
    assert decided("new_labels", 300, spec, loss=0.1, basis="another") == Start()
    # After trainings without gain more rows are needed.
    assert reason(decided("new_labels", 500, spec, growth=0.2)) == "not_enough_data"


def test_where_costs_are_given_a_change_is_looked_into_only_if_undoing_the_rise_pays() -> None:
    """Undoing it saves 2 per row, over the 3,000 rows that the last model was fitted to."""
    spec = builders.spec(retrain={"policy": "auto", "on": [], "training_cost": 600.0, "error_cost": 2.0})
    assert decided("suspicion", 500, spec, rise=0.11) == Start()
    low = decided("suspicion", 500, spec, rise=0.09)
    assert reason(low) == "no_gain"
    assert isinstance(low, Skip)
    assert all(figure in low.detail for figure in ("0.0900", "worth 540", "3,000", "600"))
    assert decided("suspicion", 500, AUTO, rise=0.0001) == Start(), "without costs"
    # A model can't be fitted yet to the rows since the change: 200 at least.
    assert reason(decided("suspicion", 500, spec, rise=0.11, rows=199)) == "not_enough_data"
    assert decided("suspicion", 500, spec, rise=0.11, rows=200) == Start()
    assert decided("suspicion", 500, AUTO, rise=0.11, rows=50) == Start(), "without costs"
    # A second look may undo all of the loss.
    assert decided("new_labels", 250, spec, again=250, loss=0.11, gain=0.0) == Start()
    assert reason(decided("new_labels", 250, spec, again=250, loss=0.09)) == "no_gain"


def test_without_costs_or_by_another_spec_no_training_has_to_gain() -> None:
    costs = {"training_cost": 10.0, "error_cost": 2.0}
    spec = builders.spec(retrain={"policy": "auto", "on": [], **costs})
    assert decided("new_labels", 300, growth=0.2) == Start()
    assert decided("new_labels", 300, spec, growth=0.2, gain=0.0, basis="another") == Start()


@pytest.mark.medium
@pytest.mark.parametrize(
    ("labels", "figures"), [(Labels(520, 200, 5_200), ["520", "10%", "5,200"]), (Labels(1_200), ["1,200"])]
)
def test_a_training_that_labels_start_says_how_many_they_are(labels: Labels, figures: list[str]) -> None:
    asked = trigger("new_labels").model_copy(update={"detail": "3 predictions of the window have outcomes"})
    assert re.findall(r"\d[\d,]*%?", with_growth(asked, AUTO, labels).detail) == figures
    assert with_growth(asked, builders.spec(), labels) == asked
    drop = trigger("suspicion")
    assert with_growth(drop, AUTO, labels) == drop
