"""Decides which columns are features and which type they have, and why other columns are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rondo.client.spec_proposal.errors import NoFeaturesError
from rondo.client.spec_proposal.names import column_name, is_column, words
from rondo.client.spec_proposal.ranges import natural_range
from rondo.client.spec_proposal.roles import FEWEST_ROWS, IDENTIFIER, id_rank, name_problem
from rondo.client.spec_proposal.summary import ColumnSummary, Kind
from rondo.client.spec_proposal.times import TimeForm
from rondo.contracts.spec.data import LARGEST_EXACT_INT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST_LISTED = 12
# An identifier is a category only if its values occur often.
_MOST_IDS, _ROWS_AN_ID = 1_000, 20
# A category with more values than this should be checked by a person.
_MANY_VALUES = 200
_FREE_TEXT_WORDS, _FREE_TEXT_LENGTH = 4, 60
_CODES = frozenset(("zip", "zipcode", "postal", "postcode", "plz", "sku", "ean", "isbn"))
_LONG_NUMBER = 8  # digits
_LONGEST_WHOLE = 1e15
_OF_A_DATE, _OF_A_TIME = ("year", "month"), ("month", "weekday", "hour")


@dataclass(frozen=True)
class ProposedFeature:
    """A feature of the spec. `notes` are comments, one fact each. `check` is a fact that a person should check.

    If the feature is a time, its parts `dates` become columns.
    """

    name: str
    type: str
    optional: bool = False
    min: float | None = None
    max: float | None = None
    notes: tuple[str, ...] = ()
    check: str = ""
    dates: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A column that is not a feature. `leaks` is true if it reveals the label."""

    name: str
    reason: str
    leaks: bool = False


def choose_features(
    columns: Iterable[ColumnSummary], copies: Mapping[str, str], most_odd: int, taken: Iterable[str] = ()
) -> tuple[tuple[ProposedFeature, ...], tuple[LeftOut, ...]]:
    """Return the features, and the columns that are left out. `copies` says in which way a column copies the label.

    Rows with a value of another type would be quarantined. Features with most such rows are left out, until at most
    `most_odd` such rows are left, with which a batch is accepted. `taken` are the columns with a role.

    Raises:
        NoFeaturesError: all columns are left out.

    """
    found = list(columns)
    typed = [each for each in found if each.name not in copies and each.kind != Kind.TIME and not _unusable(each)]
    too_odd = _too_odd(typed, most_odd)
    features: list[ProposedFeature] = []
    left_out: list[LeftOut] = []
    names = {name.lower(): name for name in taken}
    every = {column.name.lower() for column in found} | names.keys()
    for column in found:
        first = names.setdefault(column.name.lower(), column.name)
        if column.name in copies:
            left_out.append(LeftOut(column.name, f"{copies[column.name]}: a model would get the answer", leaks=True))
            continue
        decision = _unusable(column) or _same_name(column.name, first) or too_odd.get(column.name) or _decided(column)
        if isinstance(decision, ProposedFeature) and decision.dates:
            free = tuple(part for part in decision.dates if f"{column.name}_{part}".lower() not in every)
            decision = replace(decision, dates=free) if free else "it is a time, whose parts are columns already"
        if isinstance(decision, ProposedFeature):
            features.append(decision)
        else:
            left_out.append(LeftOut(column.name, decision))
    if not features:
        raise NoFeaturesError([(column.name, column.reason) for column in left_out])
    return tuple(features), tuple(left_out)


def _same_name(name: str, first: str) -> str:
    if name == first:
        return ""
    return f"its name differs from {first} by capitals alone, which tables can't tell apart: rename it in the file"


def fixes(columns: Iterable[ColumnSummary]) -> tuple[LeftOut, ...]:
    """Return the columns that can't be features before the file is changed."""
    found = [(column, _name_problem(column) or _not_plain(column)) for column in columns]
    return tuple(LeftOut(column.name, reason) for column, reason in found if reason)


def _too_odd(columns: Sequence[ColumnSummary], most_odd: int) -> dict[str, str]:
    """Return the columns with too many values of another type, each with the reason."""
    found: dict[str, str] = {}
    odd = sum(column.odd for column in columns)
    for column in sorted(columns, key=lambda column: -column.odd):
        if odd <= max(most_odd, 0) or not column.odd:
            break
        odd -= column.odd
        found[column.name] = (
            f"{column.odd:,} of {column.rows:,} values are of another type, such as {column.odd_example!r}, and so many"
            " rows can't be left out: leave those cells empty in the file, and it becomes a number that may be missing"
        )
    return found


def _name_problem(column: ColumnSummary) -> str:
    if not column.name:
        return "it has no name: give it one in the file"
    if not is_column(column.name):
        return f"its name is not one of A-Z, a-z, 0-9 and _: rename it to {column_name(column.name)} in the file"
    return name_problem("features", column.name)


def _not_plain(column: ColumnSummary) -> str:
    if column.number_like:
        wanted = "with digits and a decimal point alone, such as 1234.5"
        return f"its numbers are written as texts such as {column.number_like!r}: write them {wanted}, in the file"
    return ""


def _unusable(column: ColumnSummary) -> str:
    """Return the reason why a column can't be a feature of any type. "" if it can."""
    if problem := _name_problem(column) or _not_plain(column):
        return problem
    found = {
        Kind.EMPTY: "it has no value",
        Kind.OTHER: f"it is {_type_of(column)}, and a feature is a text, a number, or true and false",
        Kind.TIME: "" if _is_iso(column) else _rewritten_time(column),
    }.get(column.kind, "")
    if column.distinct == 1 and not column.missing:
        return f"all rows have the value {column.values[0][0]}" if column.values else "all rows have the same value"
    return found


def _type_of(column: ColumnSummary) -> str:
    if column.type_name.startswith(("struct", "map")):
        return "an object, whose parts can be features if each has a column of its own"
    return "a list" if "list" in column.type_name.split("<")[0] else column.type_name


def _is_iso(column: ColumnSummary) -> bool:
    """Return whether ingestion has the dates of a column in ISO 8601, either from texts or from their type."""
    texts = column.type_name.endswith("string")
    return column.type_name.startswith(("date", "timestamp")) or (
        texts and column.time_form in (TimeForm.RFC_3339, TimeForm.NO_ZONE, TimeForm.DATE)
    )


def _rewritten_time(column: ColumnSummary) -> str:
    """Return the advice to rewrite a time in another form, so that its parts can be features."""
    optional = ", optional: true" if column.missing else ""
    return (
        "it is a time, whose parts can be features: write it as text such as 2013-01-31T10:00:00Z, add"
        f" `{column.name}: {{type: category{optional}}}` to the features, and"
        f" `prepare: {{dates: {{{column.name}: [month, weekday, hour]}}}}`"
    )


def _decided(column: ColumnSummary) -> ProposedFeature | str:
    """Return the feature, or the reason why there is none."""
    if column.kind == Kind.BOOL:
        return _feature(column, "bool")
    if column.kind == Kind.TIME:
        return _time(column)
    if column.kind == Kind.TEXT:
        return _text(column)
    if column.kind == Kind.INT:
        return _int(column)
    return _number(column, "float")


def _time(column: ColumnSummary) -> ProposedFeature:
    parts = _OF_A_DATE if column.time_form == TimeForm.DATE else _OF_A_TIME
    check = "a time, whose parts are features: leave it out if a request can't have it"
    # A text that is not a date is a missing number, and its row is not quarantined.
    return replace(_feature(replace(column, odd=0), "category", check=check), dates=parts)


def _text(column: ColumnSummary) -> ProposedFeature | str:
    many = column.present >= FEWEST_ROWS
    if column.digits and column.keeps_type and column.distinct > _MANY_VALUES:
        return "its numbers are written as texts: write the column as numbers, or it counts as a category"
    if many and column.unique:
        return "each row has its own text"
    if column.mean_length > _FREE_TEXT_LENGTH or (column.mean_words >= _FREE_TEXT_WORDS and _mostly_unique(column)):
        return "it is free text"
    if many and _mostly_unique(column):
        return f"{column.distinct:,} different texts in {column.present:,} rows: most occur once"
    if id_rank(column.name) == IDENTIFIER and not _comes_again(column):
        return f"an identifier with {column.distinct:,} values, by its name"
    return _category(column)


def _int(column: ColumnSummary) -> ProposedFeature | str:
    named = id_rank(column.name)
    if (
        named == IDENTIFIER
        or set(words(column.name)) & _CODES
        or (named and column.distinct > FEWEST_ROWS)
        or _is_long_number(column)
    ):
        if _comes_again(column):
            return _category(column, "an identifier: numbers that are only names")
        return f"an identifier with {column.distinct:,} values, as it seems: make it a category if they come again"
    if max(abs(column.low or 0), abs(column.high or 0)) > LARGEST_EXACT_INT:
        rounded = f"whole numbers beyond {LARGEST_EXACT_INT:,} are rounded to seven digits"
        return _number(column, "float", check=f"{rounded}; make it a category if they are identifiers")
    return _number(column, "int")


def _is_long_number(column: ColumnSummary) -> bool:
    """Return whether all numbers have the same number of digits and most occur once, as account numbers do."""
    ends = {len(f"{abs(bound):.0f}") for bound in (column.low or 0, column.high or 0)}
    return len(ends) == 1 and min(ends) >= _LONG_NUMBER and column.present >= FEWEST_ROWS and _mostly_unique(column)


def _mostly_unique(column: ColumnSummary) -> bool:
    return column.distinct > column.present / 2


def _comes_again(column: ColumnSummary) -> bool:
    return column.distinct <= min(_MOST_IDS, max(column.present / _ROWS_AN_ID, 1))


def _category(column: ColumnSummary, note: str = "") -> ProposedFeature:
    blanks = (
        f"blanks are part of a value, such as {column.blanks!r}: take them out of the file" if column.blanks else ""
    )
    if column.distinct <= _MOST_LISTED:
        values = ", ".join(sorted(value for value, _ in column.values))
        return _feature(column, "category", note, f"values: [{values}] here", check=blanks)
    check = blanks or (f"{column.distinct:,} different values" if column.distinct > _MANY_VALUES else "")
    return _feature(column, "category", note, check or f"{column.distinct:,} values", check=check)


def _number(column: ColumnSummary, kind: str, check: str = "") -> ProposedFeature:
    low, high = natural_range(column)
    seen = f"{_written(column.low)} to {_written(column.high)} here" if column.low is not None else ""
    return _feature(column, kind, seen, low=low, high=high, check=check)


def _written(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.0f}" if number.is_integer() and abs(number) < _LONGEST_WHOLE else f"{number:.6g}"


def _feature(
    column: ColumnSummary,
    kind: str,
    *notes: str,
    low: float | None = None,
    high: float | None = None,
    check: str = "",
) -> ProposedFeature:
    share = f"{column.missing / column.rows:.1%} missing" if column.missing else ""
    odd = (
        f"{column.odd:,} of {column.rows:,} values are of another type, such as {column.odd_example}"
        if column.odd
        else ""
    )
    if column.decimal_commas:
        check = f"a comma is read as the decimal sign: 1,5 is 1.5{f'; {check}' if check else ''}"
    elif column.thousands and kind in ("int", "float"):
        check = f"{column.thousands} is read with a decimal point: take the point out if it separates thousands"
    if odd:
        check = f"{odd}: they would be quarantined, so leave what is missing empty"
    found = tuple(note for note in (*notes, share, check) if note)
    return ProposedFeature(column.name, kind, bool(column.missing or column.odd), low, high, found, check)
