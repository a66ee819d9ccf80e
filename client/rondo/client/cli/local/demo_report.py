"""The report of `rondo demo`: printed, and written as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import typer
from rich.markdown import Markdown

from rondo.client.cli.output import print_json, print_note, stdout

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.flights.report.report import Report


def write(report: Report, folder: Path) -> None:
    """Write report.md and report.json into a folder."""
    from rondo.flights.report.markdown import as_markdown  # noqa: PLC0415 - the flights may not be installed

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(as_markdown(report), "utf-8")
    (folder / "report.json").write_bytes(
        orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    )


def print_report(report: Report, folder: Path, *, json: bool) -> None:
    from rondo.flights.report.markdown import as_markdown  # noqa: PLC0415

    if json:
        print_json(report.as_dict())
    elif (console := stdout()).is_terminal:
        console.print(Markdown(as_markdown(report)))
    else:
        typer.echo(as_markdown(report))
    print_note(f"the report is in {folder / 'report.md'} and report.json")
