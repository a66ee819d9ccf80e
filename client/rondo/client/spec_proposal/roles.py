"""Chooses the columns that are not features, each with the reason: event time, entity and label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.client.errors import RondoError
from rondo.client.spec_proposal.errors import MissingRoleError, UnknownColumnError, UnusableRoleError
from rondo.client.spec_proposal.names import column_name, is_column, words
from rondo.client.spec_proposal.summary import ColumnSummary, Kind
from rondo.client.spec_proposal.times import TimeForm, rewritten
from rondo.contracts.batch_files.times import EPOCHS, parse_time
from rondo.contracts.spec import support_checks
from rondo.contracts.spec.data import Data
from rondo.contracts.times import EARLIEST, MOST_AHEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

MAX_BAD_SHARE: float = Data.model_fields["max_bad_share"].default
# With fewer rows "each value occurs once" has no meaning.
FEWEST_ROWS = 20
# The rank of a name that is the name of an identifier. See `id_rank`.
IDENTIFIER = 2
_LABELS = ("label", "target", "outcome", "class", "y", "response")
# Common labels of data sets, which are less certain than the names above.
_OFTEN_LABELS = frozenset(
    ("churn", "churned", "fraud", "fraudulent", "converted", "conversion", "clicked", "click", "default", "defaulted",
     "survived", "late", "cancelled", "returned", "purchased", "bought", "spam", "species", "diagnosis", "delayed")
)  # fmt: skip
_IDS = frozenset(("id", "uuid", "guid", "key", "ident", "identifier"))
_NUMBERS = frozenset(("no", "nr", "number", "code", "ref", "reference"))
_SUBJECTS = frozenset(
    ("user", "customer", "client", "account", "patient", "device", "sensor", "machine", "vehicle", "order", "session")
)
_TIMES = frozenset(("time", "timestamp", "datetime", "ts", "at", "date", "day", "when"))
# Times of something other than the event, and times that are only known after the event.
_OTHER_TIMES = frozenset(("birth", "born", "dob", "end", "ended", "updated", "modified", "due", "expires", "until"))
_OTHER_LABEL = "choose another with --label"
_AS_TIME = "write times as 2013-01-01T10:00:00Z"
# Times of day come before dates, because they are more precise. Numbers since 1970 come last, because they may be
# something else.
_FORM_RANKS = {TimeForm.RFC_3339: 0, TimeForm.NO_ZONE: 0, TimeForm.DATE: 1, TimeForm.OTHER: 1, TimeForm.EPOCH: 2}
_OPTIONS = "name a column for each with --entity, --event-time and --label"


@dataclass(frozen=True)
class Role:
    """A column, and the reason why it was chosen."""

    column: ColumnSummary
    why: str


@dataclass(frozen=True)
class Roles:
    """The columns that a spec names under `data`."""

    entity: Role
    event_time: Role
    label: Role

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.entity.column.name, self.event_time.column.name, self.label.column.name))


@dataclass(frozen=True)
class Chosen:
    """The columns that a person has named. None if the file decides."""

    entity: str | None = None
    event_time: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class RoleChoices:
    """The chosen columns, and the errors of roles without a column, in the order of `Roles`."""

    entity: Role | None
    event_time: Role | None
    label: Role | None
    problems: tuple[RondoError, ...]

    @property
    def roles(self) -> Roles | None:
        """All roles. None if there is a problem."""
        if self.problems or self.entity is None or self.event_time is None or self.label is None:
            return None
        return Roles(self.entity, self.event_time, self.label)

    @property
    def taken(self) -> frozenset[str]:
        found = (self.entity, self.event_time, self.label)
        return frozenset(role.column.name for role in found if role is not None)


def choose_roles(columns: Sequence[ColumnSummary], chosen: Chosen, now: datetime) -> RoleChoices:
    """Choose the columns.

    The problems are: an UnknownColumnError for a named column that is not in the file, a MissingRoleError for a role
    that no column can have, and an UnusableRoleError for a column with two roles, or with a name or values that its
    role can't have.
    """
    problems: list[RondoError] = []

    def attempt(choose: Callable[[], Role]) -> Role | None:
        try:
            return choose()
        except RondoError as error:
            problems.append(error)
            return None

    asked = [name for name in (chosen.entity, chosen.event_time, chosen.label) if name is not None]
    named_label = chosen.label or _by_name(columns, asked)
    passed_over = None
    if chosen.label is None and named_label is not None and _is_doubtful(columns, named_label, asked):
        passed_over, named_label = _named(columns, "--label", named_label), None
    taken = [*asked, *([named_label] if named_label else [])]
    event_time = attempt(lambda: _event_time(columns, chosen.event_time, taken))
    taken += [event_time.column.name] if event_time else []
    entity = attempt(lambda: _entity(columns, chosen.entity, taken))
    taken += [entity.column.name] if entity else []
    label = attempt(lambda: _label(columns, chosen.label, named_label, taken, passed_over))
    problems += _problems((("entity", entity), ("event_time", event_time), ("label", label)))
    problems += _implausible(event_time.column, now) if event_time else ()
    return RoleChoices(entity, event_time, label, tuple(problems))


def id_rank(name: str) -> int:
    """Return IDENTIFIER for the name of an identifier, 1 for the name of a number or a subject, and 0 for others."""
    found = words(name)
    if not found:
        return 0
    if found[-1] in _IDS or found[0] == "id" or name.lower().endswith(("_id", "uuid")):
        return IDENTIFIER
    return 1 if found[-1] in _NUMBERS or found[-1] in _SUBJECTS else 0


def _event_time(columns: Sequence[ColumnSummary], asked: str | None, taken: Sequence[str]) -> Role:
    if asked is not None:
        column = _named(columns, "--event-time", asked)
        form = column.time_form or (TimeForm.EPOCH if _is_epoch(column) else None)
        if form is None:
            raise _no_times(column)
        return Role(_as_times(column, form), "named with --event-time")
    times = [column for column in columns if column.name and (column.time_form or _is_time_number(column))]
    # A time that is also named as another role is refused for that reason.
    found = [column for column in times if column.name not in taken] or times
    sounding = [column for column in columns if column.name not in taken and set(words(column.name)) & _TIMES]
    if not found and sounding:
        raise _no_times(sounding[0])
    if not found:
        wanted = f"the time that a row is about ({_AS_TIME})"
        raise MissingRoleError("event_time", "--event-time", wanted, [column.name for column in columns])
    first = min(found, key=_time_rank)
    best = _as_times(first, first.time_form or TimeForm.EPOCH)
    return Role(
        best, "the only column with times" if len(found) == 1 else _first_of("columns with times", found, first)
    )


def _no_times(column: ColumnSummary) -> UnusableRoleError:
    values = [value for value, _ in column.values]
    why = f"its values are {_kind(column)}{_example(column)}, not times"
    return UnusableRoleError("event_time", column.name, why, rewritten(values) if values else _AS_TIME)


def _example(column: ColumnSummary) -> str:
    return f", such as {column.values[0][0]!r}" if column.values else ""


def _as_times(column: ColumnSummary, form: TimeForm) -> ColumnSummary:
    """Return the column as a column of times. Numbers count since 1970."""
    if column.time_form is not None or column.low is None or column.high is None:
        return column
    first, last = (parse_time(bound, None) for bound in (column.low, column.high))
    found = [f"{time:%Y-%m-%dT%H:%M:%S}Z" if time else "" for time in (first, last)]
    return replace(column, time_form=form, first=found[0], last=found[1])


def _time_rank(column: ColumnSummary) -> tuple[bool, int, bool]:
    """Return the sort key of a time by its name: times of the event come first, and times of day before dates."""
    found = set(words(column.name))
    form = column.time_form or TimeForm.EPOCH
    return bool(found & _OTHER_TIMES), _FORM_RANKS[form], not found & _TIMES


def _is_time_number(column: ColumnSummary) -> bool:
    return bool(set(words(column.name)) & _TIMES) and _is_epoch(column)


def _is_epoch(column: ColumnSummary) -> bool:
    if column.kind not in (Kind.INT, Kind.FLOAT) or column.low is None or column.high is None:
        return False
    return any(epoch.low <= column.low and column.high <= epoch.high for epoch in EPOCHS)


def _entity(columns: Sequence[ColumnSummary], asked: str | None, taken: Sequence[str]) -> Role:
    if asked is not None:
        column = _named(columns, "--entity", asked)
        if not _can_be_entity(column):
            why = f"its values are {_kind(column)}, and an entity is a text or a whole number"
            raise UnusableRoleError("entity", asked, why, "write the column as text")
        return Role(column, "named with --entity")
    found = [column for column in columns if column.name and column.name not in taken and _can_be_entity(column)]
    if ids := [column for column in found if id_rank(column.name) == IDENTIFIER]:
        return Role(_most_distinct(ids), "by its name")
    # If no name fits the label, the last column is the label, so it can't be the entity.
    others = [column for column in found if column is not columns[-1]]
    if unique := [column for column in others if column.unique and column.rows >= FEWEST_ROWS and not column.missing]:
        best = max(unique, key=lambda column: (id_rank(column.name), column.kind == Kind.TEXT))
        named = "by its name" if id_rank(best.name) else "nothing in its name says so"
        return Role(best, f"each row has its own value; {named}")
    if numbered := [column for column in others if id_rank(column.name) == 1]:
        return Role(_most_distinct(numbered), "by its name")
    if numbers := [column for column in columns if column.name not in taken and id_rank(column.name) == IDENTIFIER]:
        why = f"its values are {_kind(numbers[0])}{_example(numbers[0])}, and an entity is a text or a whole number"
        raise UnusableRoleError("entity", numbers[0].name, why, "write them without a decimal point, or as texts")
    wanted = "the id of what a row is about, such as a customer or an order"
    raise MissingRoleError("entity", "--entity", wanted, [column.name for column in columns])


def _can_be_entity(column: ColumnSummary) -> bool:
    return column.kind in (Kind.TEXT, Kind.INT)


def _most_distinct(columns: Iterable[ColumnSummary]) -> ColumnSummary:
    return max(columns, key=lambda column: column.distinct)


def _is_doubtful(columns: Sequence[ColumnSummary], named: str, taken: Sequence[str]) -> bool:
    """Return whether a column is hardly the label despite its name.

    Many of its values are missing, and the last column has numbers without a missing one.
    """
    column, last = _named(columns, "--label", named), columns[-1]
    if named.lower() in _LABELS or column.missing <= MAX_BAD_SHARE * column.rows or last.name in (named, *taken):
        return False
    return last.kind == Kind.FLOAT and not last.missing and not _is_time_number(last) and _can_be_label(last)


def _label(
    columns: Sequence[ColumnSummary],
    asked: str | None,
    named: str | None,
    taken: Sequence[str],
    passed_over: ColumnSummary | None,
) -> Role:
    if asked is not None:
        return Role(_named(columns, "--label", asked), "named with --label")
    if named is not None:
        return Role(_named(columns, "--label", named), f"by its name; {_OTHER_LABEL}")
    possible = [column for column in columns if column.name not in taken and _can_be_label(column)]
    if not possible:
        wanted = "what the model is to predict, a column with two values or more"
        raise MissingRoleError("label", "--label", wanted, [column.name for column in columns])
    last = "the last column" if possible[-1] is columns[-1] else "the last column that can be one"
    if passed_over is not None:
        share = passed_over.missing / passed_over.rows
        why = (
            f"a number that is never missing; {passed_over.name} sounds like a label, and {share:.0%} of it is missing"
        )
        return Role(possible[-1], f"{last}, {why}; {_OTHER_LABEL}")
    return Role(possible[-1], f"{last}, and nothing in its name says so; {_OTHER_LABEL}")


def _by_name(columns: Sequence[ColumnSummary], taken: Sequence[str]) -> str | None:
    free = [column.name for column in columns if column.name not in taken]
    tests: list[Callable[[str, str], bool]] = [
        lambda name, word: name == word,
        lambda name, word: "_".join(words(name)) == word,
        lambda name, word: len(words(name)) > 1 and word in (words(name)[-1], words(name)[0]) and word != "y",
    ]
    named = (name for test in tests for word in _LABELS for name in free if test(name, word))
    often = (name for name in free if set(words(name)) - {"is", "has", "was"} <= _OFTEN_LABELS and words(name))
    return next(named, None) or next(often, None)


def _can_be_label(column: ColumnSummary) -> bool:
    numbers = column.kind in (Kind.INT, Kind.FLOAT, Kind.BOOL)
    text = column.kind == Kind.TEXT and column.distinct <= max(column.present / 2, FEWEST_ROWS)
    return bool(column.name) and column.distinct > 1 and (numbers or text) and id_rank(column.name) != IDENTIFIER


def _problems(pairs: Iterable[tuple[str, Role | None]]) -> Iterator[UnusableRoleError]:
    """Yield the errors of chosen columns: a second role, a name, or a form of times that their role can't have."""
    seen: dict[str, str] = {}
    for role, chosen in pairs:
        if chosen is None:
            continue
        name, form = chosen.column.name, chosen.column.time_form
        if name in seen:
            yield UnusableRoleError(role, name, f"it is also the {seen[name].replace('_', ' ')}", _OPTIONS)
        seen[name] = role
        if not is_column(name):
            why = "a spec takes names of A-Z, a-z, 0-9 and _, at most 63 long, that begin with no digit"
            yield UnusableRoleError(role, name, why, f"rename it to {column_name(name)!r} in the file")
        elif problem := name_problem(role, name):
            yield UnusableRoleError(role, name, problem, "rename it in the file")
        if role == "event_time" and form == TimeForm.OTHER:
            advice = rewritten([value for value, _ in chosen.column.values])
            yield UnusableRoleError(role, name, "its times are not ISO 8601, and could be misread", advice)
        elif role == "event_time" and chosen.column.rows > 1 and chosen.column.distinct == 1:
            why = f"all rows have one time{_example(chosen.column)}, and a model is evaluated on the latest rows"
            yield UnusableRoleError(role, name, why, "name the column that says when each row happened")


def _implausible(times: ColumnSummary, now: datetime) -> Iterator[UnusableRoleError]:
    """Yield an error if every row would be quarantined for its time."""
    first, last = (parse_time(text, None) for text in (times.first, times.last))
    if first and last and (last < EARLIEST or first > now + MOST_AHEAD):
        why = f"its times, {times.first} to {times.last}, are before 1900 or more than a day from now"
        yield UnusableRoleError("event_time", times.name, why, "check the year, or name another column")


def name_problem(role: str, name: str) -> str:
    """Return the reason why a column of a spec can't have a name that its pattern allows. "" if it can.

    `role` is a key of `data`, or `features`.
    """
    spec = {"features": {name: {"type": "float"}}} if role == "features" else {"data": {role: name}}
    place = ("features", name) if role == "features" else ("data", role)
    return next((problem.message for problem in support_checks.unsupported(spec) if problem.path == place), "")


def _named(columns: Sequence[ColumnSummary], option: str, name: str) -> ColumnSummary:
    names = [column.name for column in columns]
    if name not in names:
        raise UnknownColumnError(option, name, names)
    return columns[names.index(name)]


def _first_of(what: str, found: Sequence[ColumnSummary], best: ColumnSummary) -> str:
    others = [column.name for column in found if column is not best]
    shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")  # noqa: PLR2004
    return f"of several {what} (also {shown})"


def _kind(column: ColumnSummary) -> str:
    return {
        Kind.EMPTY: "missing", Kind.BOOL: "true and false", Kind.INT: "whole numbers", Kind.FLOAT: "numbers",
        Kind.TEXT: "texts", Kind.TIME: "times", Kind.OTHER: column.type_name,
    }[column.kind]  # fmt: skip
