"""`rondo drift`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import day_or_time
from rondo.client.cli.drift import history, retraining, text
from rondo.client.cli.drift import window as one_window
from rondo.client.cli.drift.plots import Plotter
from rondo.client.cli.output import Json, print_json, print_list, print_text, stdout
from rondo.client.errors import RefusedError, RondoError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.cli.drift.line import Line

_WIDTH = 80
_WIDEST = 110
_SHOWN = 20
# As many windows as the monitor keeps for each model.
_KEPT = 1_000


def drift(
    model: str,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots into this file, for a browser.")] = None,
    history: Annotated[bool, typer.Option("--history", help="List the last closed windows.")] = False,  # noqa: FBT002
    last: Annotated[
        int | None, typer.Option(min=1, max=_KEPT, help="With --history: that many windows, 20 or all since and until.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="With --history: windows that begin then or later, such as 2024-03-01.")
    ] = "",
    until: Annotated[str, typer.Option(help="With --history: windows that begin before this time.")] = "",
    window: Annotated[
        str, typer.Option(metavar="TIME", help="Show the closed window that has this time, such as 2024-03-01.")
    ] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Show the changes of a model with their start and evidence, and what can't be judged yet."""
    if html is not None and history:
        raise typer.BadParameter("--html and --history exclude each other: the report has the last windows")
    if (since or until) and not history:
        raise typer.BadParameter("--since and --until are about the history: add --history")
    if window and history:
        raise typer.BadParameter("--window and --history exclude each other: the history lists windows, so choose one")
    at = day_or_time(window) if window else None
    if html is not None:
        _write_report(model, html, at, json=json)
    elif at is not None:
        _print_window(model, at, json=json)
    elif history:
        _print_history(model, last, (since, until), json=json)
    else:
        if json:
            print_json(session.run(lambda rondo: rondo.drift(model)))
            return
        status, training = session.run(lambda rondo: _asked(rondo, model))
        _print_lines((*text.lines(status, Plotter.of(sys.stdout.encoding), _width()), *training))


def _width() -> int:
    return min(shutil.get_terminal_size((_WIDTH, 0)).columns, _WIDEST) if sys.stdout.isatty() else _WIDTH


def _print_lines(lines: Iterable[Line]) -> None:
    console = stdout()
    for line in lines:
        console.print(line.text, style=line.style, soft_wrap=True)


def _print_window(model: str, at: datetime, *, json: bool) -> None:
    found = session.run(lambda rondo: rondo.window(model, at))
    if json:
        print_json(found)
    else:
        _print_lines(one_window.lines(model, found, Plotter.of(sys.stdout.encoding), _width()))


async def _asked(rondo: AsyncRondo, model: str) -> tuple[dict[str, Any], list[Line]]:
    """Return the monitor's status. If something has changed, also return the trainer's reaction."""
    status = await rondo.drift(model)
    if not any(each["since"] for each in status["columns"]):
        return status, []
    try:
        runs = await rondo.runs(model)
    except RondoError as error:  # the registry may be down while the monitor answers
        return status, list(retraining.unknown(error))
    return status, list(retraining.lines(model, runs))


def _write_report(model: str, file: Path, at: datetime | None, *, json: bool) -> None:
    report = session.run(lambda rondo: rondo.report(model) if at is None else rondo.window_report(model, at))
    try:
        file.write_text(report, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"can't write {file}: {error.strerror}", code="unwritable_file") from None
    if json:
        print_json({"model": model, "file": str(file)})
    else:
        print_text(f"the report about {model} is in {file}: open it in a browser")


def _print_history(model: str, last: int | None, between: tuple[str, str], *, json: bool) -> None:
    since, until = (day_or_time(each) if each else None for each in between)
    if since and until and since >= until:
        raise typer.BadParameter(f"let --since be before --until, not {between[0]} and {between[1]}")
    most = last or (_KEPT if since or until else _SHOWN)
    windows = session.run(lambda rondo: rondo.windows(model, most, since=since, until=until))
    found = history.Figures.of(windows)
    none = f"no window of {model} has closed yet: `rondo drift {model}` shows what is missing"
    if since or until:
        none = f"no closed window of {model} begins in this time: `rondo drift {model} --history` has the newest ones"
    print_list(
        windows,
        history.columns(found),
        lambda window: history.cells(window, found),
        empty=none,
        json=json,
    )
