"""What goes to the screen: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rondo.client.messages import Prediction

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
# Where there is no terminal, nothing says how wide a line may be.
_WIDE = 200


def console() -> Console:
    """Return the console of the results."""
    return Console(width=None if sys.stdout.isatty() else _WIDE)


def messages() -> Console:
    """Return the console of everything else."""
    return Console(stderr=True)


def complain(message: str) -> None:
    """Say on stderr what is wrong."""
    messages().print(f"rondo: {message}", markup=False, highlight=False, soft_wrap=True, style="red")


def note(message: str) -> None:
    """Say on stderr what goes on."""
    messages().print(message, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON: indented for a person at a terminal, a line for programs."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    typer.echo(orjson.dumps(value, option=option | orjson.OPT_NON_STR_KEYS).decode())


def print_text(text: str) -> None:
    """Print text as it is."""
    typer.echo(text)


def show_prediction(prediction: Prediction, *, json: bool) -> None:
    """Print an answer on a line of its own."""
    if json:
        print_json(prediction.model_dump(mode="json"))
    else:
        print_text(f"{prediction.id}  {prediction.score:.4f}  (version {prediction.model_version})")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns; None is a dash, numbers stand to the right."""
    table = Table(box=None, pad_edge=False)
    cells = [list(row) for row in rows]
    for place, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[place], int | float) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    console().print(table, markup=False, highlight=False)


def minute(text: str | None) -> str | None:
    """Shorten an RFC 3339 time to the minute."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}" if text else None
