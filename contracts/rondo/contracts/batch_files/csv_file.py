"""Reads CSV values as texts. The contract defines the types, because a guess from the first rows can be wrong."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from rondo.contracts.batch_files.csv_header import CsvHeader, read_header
from rondo.contracts.batch_files.errors import UnreadableContentError
from rondo.contracts.batch_files.text import not_utf8, utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK = 16 << 20  # bytes, a row must fit into one block
_MOST_SHOWN, _LONGEST_REASON = 60, 300  # characters
_TOO_LONG = "straddling"
_DOS_END = "\x1a"


@dataclass(frozen=True)
class CsvRows:
    """The rows of a file as texts. An empty cell without quotes is null.

    `truncated` is true if the file has more rows.
    """

    table: pa.Table
    separator: str
    truncated: bool = False

    @property
    def has_decimal_commas(self) -> bool:
        """True if a comma in a number is the decimal sign, which it can't be in a file with commas between columns."""
        return self.separator == ";"


@dataclass
class _OddLines:
    """Rows whose number of fields differs from the header. A row without any value is a blank line."""

    header: CsvHeader
    count: int = 0
    first: str = ""
    fields: tuple[int, int] = (0, 0)

    def skip(self, row: Any) -> str:
        if row.text.strip(f'{self.header.separator} \t\r"{_DOS_END}'):
            if not self.count:
                self.first, self.fields = row.text, (row.actual_columns, row.expected_columns)
            self.count += 1
        return "skip"

    def check(self, text: BinaryIO) -> None:
        """Raise UnreadableContentError if there are such rows: nothing tells which fields are missing or extra."""
        if not self.count:
            return
        first, header = _shortened(self.first), _shortened(self.header.separator.join(self.header.columns))
        more = f" (the first of {self.count:,} such lines)" if self.count > 1 else ""
        found, wanted = self.fields
        raise UnreadableContentError(
            f"{_place(text, self.first)} has {found:,} instead of the {wanted:,} fields of the header {header!r}: "
            f"{first!r}{more}",
            "give each line as many fields as the header, and put quotes around a text with the separator or a quote",
        )


def _place(text: BinaryIO, row: str) -> str:
    """Return the line on which the first row with a text begins. Arrow's row numbers do not count blank lines."""
    wanted = row.encode().splitlines()
    latest = deque[bytes](maxlen=len(wanted))
    text.seek(0)
    for number, line in enumerate((line for chunk in text for line in chunk.splitlines()), 1):
        latest.append(line)
        if list(latest) == wanted:
            return f"line {number - len(wanted) + 1}"
    return "a line"


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def read(file: BinaryIO, most_rows: int | None = None) -> CsvRows:
    """Read all rows, or the first ones. A line without any value does not count as a row.

    A column without a name and without any value comes from separators at the end of the lines, and is left out.

    Raises:
        UnreadableContentError: the text is not UTF-8, a line has another number of fields than the header, a quote is
            not closed, or two columns have the same name.

    """
    with utf8(file) as text:
        return _read(text, most_rows)


def _read(text: BinaryIO, most_rows: int | None) -> CsvRows:
    try:
        header = read_header(text)
        _check_names(header.columns)
        odd = _OddLines(header)
        table, truncated = collected(_schema(header), _batches(text, header, odd), most_rows)
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise not_utf8(text) or _refused(error) from None
    odd.check(text)
    filled = _without_blank_rows(table)
    if not truncated:
        _check_quotes(text, filled)
    return CsvRows(_named(filled, header.columns), header.separator, truncated)


def collected(schema: pa.Schema, batches: Iterator[pa.RecordBatch], most_rows: int | None) -> tuple[pa.Table, bool]:
    """Return the first rows, and true if there are more."""
    taken: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if most_rows is not None and rows + batch.num_rows > most_rows:
            taken.append(batch.slice(0, most_rows - rows))
            return pa.Table.from_batches(taken, schema), True
        taken.append(batch)
        rows += batch.num_rows
    return pa.Table.from_batches(taken, schema), False


def _schema(header: CsvHeader) -> pa.Schema:
    """Return a schema with numbers as column names, because names in the header may be empty."""
    return pa.schema([(str(number), pa.string()) for number in range(len(header.columns))])


def _batches(text: BinaryIO, header: CsvHeader, odd: _OddLines) -> Iterator[pa.RecordBatch]:
    text.seek(header.end)
    if not header.columns or not text.read(1):
        return
    text.seek(header.end)
    names = _schema(header).names
    yield from pa_csv.open_csv(
        text,
        # Without threads the handler receives the rows in their order.
        read_options=pa_csv.ReadOptions(block_size=_BLOCK, column_names=names, use_threads=False),
        parse_options=pa_csv.ParseOptions(
            delimiter=header.separator, newlines_in_values=True, invalid_row_handler=odd.skip
        ),
        # With all types given, Arrow converts no value, and does not read a text such as NA as a missing value.
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _check_names(columns: Sequence[str]) -> None:
    if any("\x00" in name for name in columns):
        raise UnreadableContentError("its header holds NUL characters", "write it as text in UTF-8")
    check_duplicates([name for name in columns if name])


def check_duplicates(names: Sequence[str]) -> None:
    """Raise UnreadableContentError if several columns have the same name."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        why = f"it has several columns named {', '.join(map(repr, twice))}"
        raise UnreadableContentError(why, "give each column a name of its own")


def _named(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the table with the column names of the header."""
    kept = [number for number, name in enumerate(columns) if name or table[number].null_count < table.num_rows]
    if len(unnamed := [number + 1 for number in kept if not columns[number]]) > 1:
        why = f"its columns {', '.join(map(str, unnamed))} have values and no name"
        raise UnreadableContentError(why, "give each column a name of its own, or take them out")
    return table.select(kept).rename_columns([columns[number] for number in kept])


def _without_blank_rows(table: pa.Table) -> pa.Table:
    filled: pa.ChunkedArray | None = None
    for column in table.columns:
        values = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(column), ""), fill_value=False)
        filled = values if filled is None else pc.or_(filled, values)
        if pc.all(filled).as_py():  # usually after the first column
            return table
    return table if filled is None else table.filter(filled)


def _check_quotes(text: BinaryIO, table: pa.Table) -> None:
    """Raise UnreadableContentError for a quote that is not closed. The rest of the file would be one text.

    A quote inside a text is written twice, so a well-formed file has an even number of quotes.
    """
    last = [column[-1].as_py() for column in table.columns] if table.num_rows else []
    rest = next((value for value in last if value and "\n" in value), None)
    if rest is None:
        return
    text.seek(0)
    quotes = sum(chunk.count(b'"') for chunk in iter(lambda: text.read(_BLOCK), b""))
    if quotes % 2:
        shown = next(iter(rest.strip().splitlines()), rest)[:_MOST_SHOWN]
        why = f"a quote is not closed: the text that begins with {shown!r} goes to the end of the file"
        raise UnreadableContentError(why, "close it, and write a quote inside a text twice")


def _refused(error: Exception) -> UnreadableContentError:
    why = str(error).splitlines()[0][:_LONGEST_REASON]
    if _TOO_LONG in why:
        why = f"a line is longer than {_BLOCK >> 20} MiB, or a quote is not closed"
        return UnreadableContentError(why, "close it, or leave out the long text: a model does not read it")
    return UnreadableContentError(why, "is it complete, and of the format that its name says?")
