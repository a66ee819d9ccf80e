"""Compares the columns of a batch with those of the contract."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import polars as pl

from rondo.contracts.batch_files.formats import TYPED
from rondo.contracts.batch_files.values import COMMA_NUMBER
from rondo.contracts.vocabularies import UnknownColumns
from rondo.ingestion.validation.casting import needs_no_text, type_problem, wrong_type
from rondo.ingestion.validation.labels import is_text
from rondo.ingestion.validation.shorten import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rondo.contracts.batch_files.formats import FileFormat
    from rondo.ingestion.validation.arrow_columns import RawBatch
    from rondo.ingestion.validation.contract import Column, Contract

_ROLES = {"entity": ", the entity,", "time": ", the event time,", "label": ", the label,"}
_SIMILAR = 0.8
_MOST_COMPARED = 200
_LONGEST = 128  # names in a contract have at most 63 characters


def schema_problems(batch: RawBatch, file_format: FileFormat, contract: Contract) -> list[str]:
    """Return the reasons why no row of the batch can be used: columns are missing, unknown or have a wrong type."""
    texts = set(text_columns(batch.frame, contract)) if file_format in TYPED else set()
    unknown = unknown_columns(batch, contract)
    schema = batch.frame.schema
    problems: list[str | None] = []
    for column in contract.columns:
        if column.name in schema:
            problems.append(type_problem(column, schema[column.name]))
            problems.append(_text_problem(column, file_format) if column in texts else None)
        elif column.name in batch.unsupported:
            problems.append(wrong_type(column, batch.unsupported[column.name]))
        elif not column.optional:
            problems.append(_missing(column, unknown, contract))
        elif contract.unknown_columns != UnknownColumns.IGNORE:
            problems.append(_misspelt(column, unknown, contract))
    if contract.unknown_columns == UnknownColumns.REJECT:
        problems += [f"column {excerpt(name)!r} is not in the contract: leave it out" for name in unknown]
    return [problem for problem in problems if problem]


def schema_notes(batch: RawBatch, file_format: FileFormat, contract: Contract) -> Iterator[str]:
    """Yield notes for the sender of an accepted batch about its columns."""
    for name in unknown_columns(batch, contract):
        close = nearest(name, contract.names)
        hint = f"; did you mean {close!r}?" if close else ""
        yield f"column {excerpt(name)!r} is not in the contract and was dropped{hint}"
    present = {*batch.frame.columns, *batch.unsupported}
    for column in contract.columns:
        if column.optional and column.name not in present:
            yield f"the optional column {column.name!r} is absent: its values count as missing"
    if batch.decimal_commas:
        for name, value in _with_commas(batch.frame, contract):
            yield f"column {name!r} has decimal commas: {value} was read as {value.replace(',', '.')}"
    if file_format == "JSON Lines":
        for column in text_columns(batch.frame, contract):
            yield f"column {column.name!r} has texts, which were read as {column.expected}: send it with that type"


def _with_commas(frame: pl.DataFrame, contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield the columns that have numbers with a decimal comma, each with the first such number."""
    for column in text_columns(frame, contract):
        values = frame[column.name].cast(pl.String).str.strip_chars()
        found = values.filter(values.str.contains(COMMA_NUMBER).fill_null(value=False))
        if found.len():
            yield column.name, found[0]


def unknown_columns(batch: RawBatch, contract: Contract) -> list[str]:
    known = set(contract.names)
    return [name for name in (*batch.frame.columns, *batch.unsupported) if name and name not in known]


def text_columns(frame: pl.DataFrame, contract: Contract) -> tuple[Column, ...]:
    """Return the columns of text for which the contract has a number or a boolean."""
    schema = frame.schema
    present = (column for column in contract.columns if column.name in schema)
    texts = [column for column in present if is_text(schema[column.name]) and needs_no_text(column)]
    return tuple(column for column in texts if _has_text(frame[column.name]))


def _has_text(column: pl.Series) -> bool:
    return bool((column.cast(pl.String).str.strip_chars() != "").any())


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate of which the name is probably a misspelling. Case, blanks and dashes are ignored."""
    folded = {_fold(candidate): candidate for candidate in candidates}
    if found := folded.get(_fold(name)):
        return found
    few = list(folded)[:_MOST_COMPARED]  # the comparison is slow, and a batch may have thousands of columns
    close = get_close_matches(_fold(name), few, n=1, cutoff=_SIMILAR)
    return folded[close[0]] if close else None


def _fold(name: str) -> str:
    return name[:_LONGEST].strip().lower().replace(" ", "_").replace("-", "_")


def _text_problem(column: Column, file_format: FileFormat) -> str:
    found = f"column {column.name!r} is text, and the contract says {column.expected}"
    return f"{found}: {file_format} keeps types, so send it with that type"


def _missing(column: Column, unknown: list[str], contract: Contract) -> str:
    what = f"column {column.name!r}{_ROLES.get(column.kind, '')}"
    by = f"the spec of {contract.dataset!r}" if contract.is_declared else " and ".join(map(repr, column.models))
    author = by if contract.is_declared else f"the spec of {by}"
    if close := nearest(column.name, unknown):
        return (
            f"{what} is missing; {excerpt(close)!r} is not in the contract: rename it to {column.name!r}, or correct"
            f" the name in {author}"
        )
    remedy = f"or correct the name in {author}" if column.kind in _ROLES else "or make it `optional` in the spec"
    return f"{what} is missing, and {by} asks for it: add it, {remedy}"


def _misspelt(column: Column, unknown: list[str], contract: Contract) -> str | None:
    if close := nearest(column.name, unknown):
        return (
            f"the optional column {column.name!r} is missing; {excerpt(close)!r} is not in the contract: rename it to "
            f"{column.name!r}, or set `{contract.key_of_spec('unknown_columns')}: ignore` in the spec"
        )
    return None
