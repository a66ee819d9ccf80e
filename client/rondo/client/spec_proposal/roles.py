"""Chooses the columns that are no features: event time, entity and label, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.client.spec_proposal.errors import MissingRoleError, UnknownColumnError, UnusableRoleError
from rondo.client.spec_proposal.names import column_name, is_column, words
from rondo.client.spec_proposal.summary import ColumnSummary, Kind
from rondo.client.spec_proposal.times import TimeForm
from rondo.contracts.spec import support_checks
from rondo.contracts.spec.data import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_BAD_SHARE: float = Data.model_fields["max_bad_share"].default
# Of fewer rows "each value occurs once" says nothing.
FEWEST_ROWS = 20
# The rank of a name that is one of an identifier; see `id_rank`.
IDENTIFIER = 2
_LABELS = ("label", "target", "outcome", "class", "y", "response")
# What data sets often predict; less certain than the names above.
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
# Times of something other than the event, and those that are only known after it.
_OTHER_TIMES = frozenset(("birth", "born", "dob", "end", "ended", "updated", "modified", "due", "expires", "until"))
_SECONDS = (1e8, 5e9)  # 1973 to 2128
_THOUSAND = 1000.0
_OTHER_LABEL = "choose another with --label"
_AS_TIME = "write times as 2013-01-01T10:00:00Z"


@dataclass(frozen=True)
class Role:
    """A column, and why it was chosen."""

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
    """The columns that a person has named; None where the file decides."""

    entity: str | None = None
    event_time: str | None = None
    label: str | None = None


def choose_roles(columns: Sequence[ColumnSummary], chosen: Chosen) -> Roles:
    """Choose the columns.

    Raises:
        UnknownColumnError: a column that was named is not in the file.
        MissingRoleError: no column can have a role.
        UnusableRoleError: a column has a name or values that its role can't have, or has two roles.

    """
    asked = [name for name in (chosen.entity, chosen.event_time, chosen.label) if name is not None]
    named_label = chosen.label or _by_name(columns, asked)
    passed_over = None
    if chosen.label is None and named_label is not None and _is_doubtful(columns, named_label, asked):
        passed_over, named_label = _named(columns, "--label", named_label), None
    taken = [*asked, *([named_label] if named_label else [])]
    event_time = _event_time(columns, chosen.event_time, taken)
    taken.append(event_time.column.name)
    entity = _entity(columns, chosen.entity, taken)
    taken.append(entity.column.name)
    label = _label(columns, chosen.label, named_label, taken, passed_over)
    roles = Roles(entity, event_time, label)
    _check(roles)
    return roles


def id_rank(name: str) -> int:
    """Return IDENTIFIER for the name of one, 1 for that of a number or a subject, and 0 for others."""
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
            raise UnusableRoleError("event_time", asked, f"its values are {_kind(column)}, not times", _AS_TIME)
        return Role(column, "named with --event-time")
    times = [column for column in columns if column.time_form or _is_time_number(column)]
    # A time that is also named as another role is refused as such.
    found = [column for column in times if column.name not in taken] or times
    if not found:
        wanted = f"the time that a row is about ({_AS_TIME})"
        raise MissingRoleError("event_time", "--event-time", wanted, [column.name for column in columns])
    best = min(found, key=_time_rank)
    return Role(best, "the only column with times" if len(found) == 1 else _first_of("columns with times", found, best))


def _time_rank(column: ColumnSummary) -> tuple[bool, int, bool]:
    """Order times: those of the event before others, those with a time of day before dates, by name."""
    found = set(words(column.name))
    form = column.time_form or TimeForm.EPOCH
    return bool(found & _OTHER_TIMES), list(TimeForm).index(form) // 2, not found & _TIMES


def _is_time_number(column: ColumnSummary) -> bool:
    return bool(set(words(column.name)) & _TIMES) and _is_epoch(column)


def _is_epoch(column: ColumnSummary) -> bool:
    if column.kind not in (Kind.INT, Kind.FLOAT) or column.low is None or column.high is None:
        return False
    unit = _THOUSAND if column.low > _SECONDS[1] else 1.0
    return all(_SECONDS[0] <= bound / unit <= _SECONDS[1] for bound in (column.low, column.high))


def _entity(columns: Sequence[ColumnSummary], asked: str | None, taken: Sequence[str]) -> Role:
    if asked is not None:
        column = _named(columns, "--entity", asked)
        if not _can_be_entity(column):
            why = f"its values are {_kind(column)}, and an entity is a text or a whole number"
            raise UnusableRoleError("entity", asked, why, "write the column as text")
        return Role(column, "named with --entity")
    found = [column for column in columns if column.name not in taken and _can_be_entity(column)]
    if ids := [column for column in found if id_rank(column.name) == IDENTIFIER]:
        return Role(_most_distinct(ids), "by its name")
    # The last column is the label where nothing names one, so it can't be what is left.
    others = [column for column in found if column is not columns[-1]]
    if unique := [column for column in others if column.unique and column.rows >= FEWEST_ROWS and not column.missing]:
        best = max(unique, key=lambda column: (id_rank(column.name), column.kind == Kind.TEXT))
        named = "by its name" if id_rank(best.name) else "nothing in its name says so"
        return Role(best, f"each row has its own value; {named}")
    if numbered := [column for column in others if id_rank(column.name) == 1]:
        return Role(_most_distinct(numbered), "by its name")
    wanted = "the id of what a row is about, such as a customer or an order"
    raise MissingRoleError("entity", "--entity", wanted, [column.name for column in columns])


def _can_be_entity(column: ColumnSummary) -> bool:
    return column.kind in (Kind.TEXT, Kind.INT)


def _most_distinct(columns: Iterable[ColumnSummary]) -> ColumnSummary:
    return max(columns, key=lambda column: column.distinct)


def _is_doubtful(columns: Sequence[ColumnSummary], named: str, taken: Sequence[str]) -> bool:
    """Return whether a column only sounds like the label: much of it is missing, and a complete number comes last."""
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
        lambda name, word: "_".join(words(name)) == word,
        lambda name, word: len(words(name)) > 1 and word in (words(name)[-1], words(name)[0]) and word != "y",
    ]
    named = (name for test in tests for word in _LABELS for name in free if test(name, word))
    often = (name for name in free if set(words(name)) - {"is", "has", "was"} <= _OFTEN_LABELS and words(name))
    return next(named, None) or next(often, None)


def _can_be_label(column: ColumnSummary) -> bool:
    numbers = column.kind in (Kind.INT, Kind.FLOAT, Kind.BOOL)
    text = column.kind == Kind.TEXT and column.distinct <= max(column.present / 2, FEWEST_ROWS)
    return column.distinct > 1 and (numbers or text) and id_rank(column.name) != IDENTIFIER


def _check(roles: Roles) -> None:
    pairs = (("entity", roles.entity), ("event_time", roles.event_time), ("label", roles.label))
    seen: dict[str, str] = {}
    for role, chosen in pairs:
        name = chosen.column.name
        if name in seen:
            why = f"it is also the {seen[name].replace('_', ' ')}"
            raise UnusableRoleError(role, name, why, "name a column for each with --entity, --event-time and --label")
        seen[name] = role
        if not is_column(name):
            why = "a spec takes names of A-Z, a-z, 0-9 and _, at most 63 long, that begin with no digit"
            raise UnusableRoleError(role, name, why, f"rename it to {column_name(name)!r} in the file")
        if problem := name_problem(role, name):
            raise UnusableRoleError(role, name, problem, "rename it in the file")


def name_problem(role: str, name: str) -> str:
    """Return why no column of a spec may have a name that its pattern allows; "" where it may.

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
