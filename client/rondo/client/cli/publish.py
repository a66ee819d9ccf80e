"""`rondo apply` and `rondo publish`: specs and batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_note, print_text, stderr
from rondo.client.errors import RefusedError
from rondo.client.http import batch_files
from rondo.contracts.spec.file import parse_spec

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]


def apply(file: File, json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Apply a model spec (rondo.yaml). Its faults are reported by line, before anything is sent."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8", code="not_utf8"
        ) from None
    parse_spec(text, str(file))  # first, so that a fault is reported also where no Rondo runs
    applied = session.run(lambda rondo: rondo.apply(text, str(file)))
    for warning in applied.get("warnings", ()):
        print_note(f"warning: {warning}")
    if json:
        print_json(applied)
        return
    state = "is in force" if applied.get("changed", True) else "was in force already"
    print_text(f"{applied['model']}: revision {applied['revision']} {state} ({applied['digest']})")


def publish(
    dataset: Annotated[str, typer.Argument(help="The dataset, as the spec's `data.dataset` names it.")],
    file: File,
    batch_id: Annotated[
        str | None,
        typer.Option(help="The batch's id: publishing an id again is a no-op. By default it is a digest of the file."),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Publish a batch of rows: a Parquet, CSV, JSON Lines or Arrow file."""
    name = batch_id or batch_files.batch_id_of(file)

    async def send(rondo: AsyncRondo) -> dict[str, Any]:
        size = batch_files.size_of(file)
        with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as progress:
            task = progress.add_task(f"sending {file.name}", total=size)

            def sent(size: int) -> None:
                progress.advance(task, size)

            return await rondo.publish(dataset, name, file, sent=sent)

    report = session.run(send)
    for note in report["notes"]:
        print_note(f"note: {note}")
    if json:
        print_json(report)
    else:
        _print_report(dataset, name, report)


def _print_report(dataset: str, name: str, report: dict[str, Any]) -> None:
    # A batch whose full report is lost still has its counts.
    quality, version = report["quality"] or {**report["rows"], "reasons": {}}, report["data_version"]["version"]
    rows = f"{quality['accepted']:,} rows accepted, {quality['quarantined']:,} quarantined"
    if report["repeated"]:
        print_text(f"batch {name} was published before, at version {version} of {dataset} ({rows}): nothing was added")
    else:
        print_text(f"batch {name}: {rows}; {dataset} is at version {version}")
    for reason, rows in quality["reasons"].items():
        print_text(f"  {rows:,} quarantined: {reason}")
