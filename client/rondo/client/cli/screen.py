"""What goes to the screen: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]


def console() -> Console:
    """Return the console of the results."""
    return Console()


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
