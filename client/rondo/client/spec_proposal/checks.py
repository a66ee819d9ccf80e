"""The parts of a proposal that a person should check: guesses, and facts about the rows of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.client.spec_proposal.distinct_texts import is_placeholder
from rondo.client.spec_proposal.roles import MAX_BAD_SHARE
from rondo.client.spec_proposal.times import TimeForm
from rondo.contracts.tasks.registry import TASKS
from rondo.contracts.times import EARLIEST, MOST_AHEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rondo.client.spec_proposal.proposal import Proposal
    from rondo.client.spec_proposal.summary import ColumnSummary

_FEW_ROWS = 200
_MOST_NAMES = 8
_FEW_OF_A_CLASS = 10


@dataclass(frozen=True)
class Check:
    """A key of the spec, or a column, that a person should check, and the reason."""

    about: str
    text: str


def checks_of(proposal: Proposal, now: datetime) -> Iterator[Check]:
    """Yield the parts of a proposal that a person should check."""
    facts, bad = proposal.facts, proposal.bad_share
    if proposal.names_guessed:
        yield Check("model, data.dataset", f"{proposal.model}, {proposal.dataset}: from the name of the file")
    if facts.truncated:
        yield Check(proposal.file, f"has more rows than the first {facts.rows:,}, which the proposal is made of")
    yield from _role_checks(proposal, now)
    yield from _label_checks(proposal)
    if bad > MAX_BAD_SHARE:
        raised = f"{proposal.max_bad_share} accepts them" if proposal.max_bad_share else "the batch would be rejected"
        message = f"{bad:.0%} of the rows would be quarantined for their label, entity or time: correct them; {raised}"
        yield Check("data.max_bad_share", message)
    yield from _feature_checks(proposal)
    if facts.rows < _FEW_ROWS:
        yield Check("trainer.min_rows", f"with so few rows ({facts.rows:,}) a model is hardly better than a guess")
    yield Check("gates", "there are none: a new version is promoted whatever its metrics are")


def _role_checks(proposal: Proposal, now: datetime) -> Iterator[Check]:
    entity, event_time = proposal.roles.entity, proposal.roles.event_time
    yield Check("data.entity", f"{entity.column.name}: {entity.why}")
    if entity.column.distinct == 1 and proposal.facts.rows > 1:
        message = "all rows have one value: an outcome sent by entity may be of any request; send it with the id"
        yield Check("data.entity", message)
    if repeated := proposal.facts.repeated:
        message = (
            f"rows with the {entity.column.name} and {event_time.column.name} of an earlier row: {repeated:,}; they "
            "would be quarantined; if that is wrong, name another column with --entity"
        )
        yield Check("data.entity", message)
    times = event_time.column
    span = f", {times.first} to {times.last}" if times.first else ""
    yield Check("data.event_time", f"{times.name}: {event_time.why}{span}")
    if times.time_form == TimeForm.EPOCH:
        yield Check("data.event_time", "its numbers count from 1970 in UTC: do the first and the last time fit?")
    if proposal.time_zone is not None:
        example = f", such as {times.values[0][0]!r}" if times.values else ""
        message = (
            f"{proposal.time_zone}: the times have no zone{example}: name that of their clock, such as Europe/Berlin"
        )
        yield Check("data.time_zone", message)
    first, last = _parsed(times.first), _parsed(times.last)
    if (first and first < EARLIEST) or (last and last > now + MOST_AHEAD):
        message = "times before 1900, or more than a day from now: such rows would be quarantined"
        yield Check("data.event_time", message)
    for role in (entity, event_time):
        if missing := role.column.missing + role.column.odd:
            message = f"rows without a valid {role.column.name}: {missing:,}; they would be quarantined"
            yield Check(f"data.{'entity' if role is entity else 'event_time'}", message)


def _parsed(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _label_checks(proposal: Proposal) -> Iterator[Check]:
    role, choice = proposal.roles.label, proposal.label
    yield Check("data.label", f"{role.column.name}: {role.why}")
    yield Check("task", f"{choice.task}: {choice.why}")
    yield from _class_checks(role.column, choice.task)
    if choice.positive is not None:
        yield Check("data.positive", f"{choice.positive}: {choice.positive_why}; a score is its probability")
    if missing := role.column.missing + role.column.odd:
        message = f"rows without a valid {role.column.name}: {missing:,}; they would be quarantined"
        yield Check("data.label", message)
    yield Check(
        "data.label_delay", "how long after its event time a label is known, at most; nothing in a file says so"
    )


def _class_checks(label: ColumnSummary, task: str) -> Iterator[Check]:
    """Yield classes that may not be classes: a word for a missing value, and classes with few rows."""
    if TASKS[task].target == "number":
        return
    for value, rows in label.values:
        if is_placeholder(value):
            message = f"{value!r} counts as a label ({rows:,} rows): leave those cells empty if it means an unknown one"
            yield Check("data.label", message)
    if same := _same_by_capitals([value for value, _ in label.values]):
        yield Check("data.label", f"{' and '.join(map(repr, same))} are two labels: write one of them if they mean one")
    if label.distinct > len(label.values):
        if label.present < _FEW_OF_A_CLASS * label.distinct:
            yield Check("data.label", f"{label.distinct:,} classes in {label.present:,} rows are too many to learn")
    elif rare := [f"{value} ({rows:,})" for value, rows in label.values if rows < _FEW_OF_A_CLASS]:
        yield Check("data.label", f"labels with few rows: {_listed(rare)}; is each of them one, or an error?")


def _same_by_capitals(values: Sequence[str]) -> tuple[str, ...]:
    """Return two values that differ by capitals alone. Empty if there are none."""
    seen: dict[str, str] = {}
    for value in values:
        if (other := seen.setdefault(value.casefold(), value)) != value:
            return (other, value)
    return ()


def _feature_checks(proposal: Proposal) -> Iterator[Check]:
    yield Check("features", "each must be known when a prediction is asked for: take out what is known only later")
    types = _listed([f"{feature.name} {feature.type}" for feature in proposal.features])
    yield Check("features.type", f"{types}: by their values here; numbers that are only names are a category")
    if required := [feature.name for feature in proposal.features if not feature.optional]:
        message = f"never missing here: {_listed(required)}; what may be missing elsewhere needs `optional: true`"
        yield Check("features.optional", message)
    for column in proposal.left_out:
        if column.leaks:
            yield Check(column.name, f"left out: it {column.reason}")
    for name in proposal.facts.deciding:
        yield Check(f"features.{name}", "each of its values has one label only: is it known before the label is?")
    for feature in proposal.features:
        if feature.check:
            yield Check(f"features.{feature.name}", feature.check)
    if limited := [feature.name for feature in proposal.features if feature.min is not None]:
        message = f"limits of {_listed(limited)}: a row outside of them is quarantined, and a request refused"
        yield Check("features.min, max", message)
    if rest := [column.name for column in proposal.left_out if not column.leaks]:
        yield Check("left out", f"{_listed(rest)}: the comments at the end of the features say why")


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _MOST_NAMES:,} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([*names[:_MOST_NAMES], *more])
