"""Prints results to stdout, and everything else to stderr."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from rondo.client.prediction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rondo.client.prediction import Prediction

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
# Without a terminal each row is printed as one line, for programs that read lines. No cell is folded.
_WIDTH = 100_000


class _PlainConsole(Console):
    """Prints text without markup.

    Most of it comes from outside, where `[x]` is not a style and `:train:` not an emoji.
    """

    def __init__(self, *, width: int | None = None, stderr: bool = False) -> None:
        super().__init__(width=width, stderr=stderr, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        """End the command, because the reader of its output has closed the pipe.

        Raises:
            SystemExit: always, with Typer's exit code for a broken pipe.

        """
        # Rich only redirects stdout. Unwritten output on stderr would fail again when Python ends.
        ignored = os.open(os.devnull, os.O_WRONLY)
        os.dup2(ignored, self.file.fileno())
        os.close(ignored)
        raise SystemExit(1)


def stdout() -> Console:
    return _PlainConsole(width=None if sys.stdout.isatty() else _WIDTH)


def stderr() -> Console:
    return _PlainConsole(stderr=True)


def print_error(message: str) -> None:
    stderr().print(f"rondo: {message}", soft_wrap=True, style="red")


def print_note(message: str) -> None:
    """Print progress, a hint or a summary on stderr."""
    stderr().print(message, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON, indented on a terminal, else in one line."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    typer.echo(orjson.dumps(value, option=option | orjson.OPT_NON_STR_KEYS).decode())


def print_text(text: str) -> None:
    typer.echo(text)


def print_prediction(prediction: Prediction, *, json: bool) -> None:
    for warning in prediction.warnings:
        print_note(f"{prediction.id}: {warning}")
    if json:
        print_json(prediction.model_dump(mode="json"))
    else:
        print_text(f"{prediction.id}  {shown(prediction.output)}  (version {prediction.model_version})")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table. None is printed as a dash, and numbers are aligned to the right."""
    table = Table(box=None, pad_edge=False)
    cells = [list(row) for row in rows]
    for place, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[place], int | float) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    stdout().print(table)


def print_list(
    found: Sequence[T], columns: Sequence[str], cells: Callable[[T], Sequence[object]], *, empty: str, json: bool
) -> None:
    """Print a list as JSON, or as a table with the `cells` of each entry. `empty` is the text for an empty list."""
    if json:
        print_json(found)
    elif not found:
        print_text(empty)
    else:
        print_table(columns, map(cells, found))


def minute(text: str | None) -> str | None:
    """Shorten an RFC 3339 time to the minute."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}" if text else None
