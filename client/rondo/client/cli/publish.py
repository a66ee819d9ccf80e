"""`rondo apply` and `publish`: what goes into the system; and times as people write them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from rondo.client import event_times
from rondo.client.cli.output import Json, messages, note, print_json, print_text
from rondo.client.cli.session import using
from rondo.client.errors import RefusedError
from rondo.client.http import batch_files
from rondo.contracts.spec.file import parse_spec

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]


def apply(file: File, json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Bring a model spec (rondo.yaml) into force. Its faults are named by line, before anything is sent."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(f"{file} is no UTF-8 text (byte {error.start}): save it as UTF-8") from None
    parse_spec(text, str(file))  # first of all: a fault is told where no Rondo runs, too
    applied = using(lambda rondo: rondo.apply(text, str(file)))
    for warning in applied.get("warnings", ()):
        note(f"warning: {warning}")
    if json:
        print_json(applied)
        return
    verb = "is in force" if applied.get("changed", True) else "was in force already"
    print_text(f"{applied['model']}: revision {applied['revision']} {verb} ({applied['digest']})")


def publish(
    dataset: Annotated[str, typer.Argument(help="The dataset, as the spec's `data.dataset` names it.")],
    file: File,
    batch_id: Annotated[
        str | None,
        typer.Option(help="The batch's id: the same id twice is a no-op. By default it follows from the file."),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Publish a batch of rows: a Parquet, CSV, JSON Lines or Arrow file."""
    name = batch_id or batch_files.batch_id_of(file)

    async def send(rondo: AsyncRondo) -> dict[str, Any]:
        size = batch_files.size_of(file)
        with Progress(console=messages(), transient=True, disable=not messages().is_terminal) as progress:
            task = progress.add_task(f"sending {file.name}", total=size)

            def sent(size: int) -> None:
                progress.advance(task, size)

            return await rondo.publish(dataset, name, file, sent=sent)

    report = using(send)
    if json:
        print_json(report)
    else:
        _tell(dataset, name, report)


def _tell(dataset: str, name: str, report: dict[str, Any]) -> None:
    # Without its full report, which the store has lost, a batch still has its counts.
    quality, version = report["quality"] or {**report["rows"], "reasons": {}}, report["data_version"]["version"]
    rows = f"{quality['accepted']:,} rows accepted, {quality['quarantined']:,} quarantined"
    if report["repeated"]:
        print_text(
            f"batch {name} was taken in before, at version {version} of {dataset} ({rows}): nothing was taken in again"
        )
    else:
        print_text(f"batch {name}: {rows}; {dataset} is at version {version}")
    for reason, rows in quality["reasons"].items():
        print_text(f"  {rows:,} quarantined: {reason}")
    for text in report["notes"]:
        note(f"  note: {text}")


def event_time(text: str) -> datetime:
    """Read an event time of the command line, as it would be read over Kafka."""
    try:
        return event_times.read(text)
    except RefusedError as error:
        raise typer.BadParameter(str(error)) from None


def moment(text: str) -> datetime:
    """Read a time of this machine's day; one without an offset is a local one."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write it as 2013-03-01T12:00:00Z") from None
