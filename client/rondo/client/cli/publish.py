"""`rondo apply` and `rondo publish`: specs and batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_note, print_text, stderr
from rondo.client.errors import ForbiddenError, NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.client.http import batch_files
from rondo.contracts.spec.file import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.spec.model import ModelSpec

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]


def apply(file: File, json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Apply a model spec (rondo.yaml). Its faults are reported by line, before anything is sent."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8", code="not_utf8"
        ) from None
    spec = parse_spec(text, str(file))  # first, so that a fault is reported also where no Rondo runs

    async def send(rondo: AsyncRondo) -> dict[str, Any]:
        before = await _contract(rondo, spec.data.dataset)
        applied = await rondo.apply(text, str(file))
        return applied | {"warnings": [*applied.get("warnings", ()), *_warnings(spec, before)]}

    applied = session.run(send)
    for warning in applied["warnings"]:
        print_note(f"warning: {warning}")
    if json:
        print_json(applied)
        return
    state = "is in force" if applied.get("changed", True) else "was in force already"
    print_text(f"{applied['model']}: revision {applied['revision']} {state} ({applied['digest']})")


def _warnings(spec: ModelSpec, before: dict[str, Any] | None) -> Iterator[str]:
    """Yield what the author of a spec should know; `before` is the contract of its dataset without the spec."""
    if not spec.gates.model_dump(exclude_defaults=True):
        yield (
            f"{spec.model} has no gates: a new version is promoted whatever its metrics are. Add `gates` to refuse "
            "one that is too poor"
        )
    if before is None or before["data_version"] is None:
        return
    accepted = {column["name"] for column in before["columns"]}
    lacking = [name for name in _required(spec) if name not in accepted]
    models = sorted({model for column in before["columns"] for model in column["models"]} - {spec.model})
    if lacking:
        yield (
            f"the batches of {spec.data.dataset} so far have the columns that {', '.join(models) or 'its spec'} asked "
            f"for, without {', '.join(lacking)}: a batch without {'it' if len(lacking) == 1 else 'them'} is refused "
            "from now on, for all models of the dataset. Publish with these columns, make a feature `optional` in the "
            "spec, or use a dataset of its own"
        )


def _required(spec: ModelSpec) -> list[str]:
    """Return the columns that a batch must have for the spec."""
    features = [name for name, each in spec.features.items() if each.source is None and not each.optional]
    return [spec.data.entity, spec.data.event_time, *features, spec.data.label]


async def _contract(rondo: AsyncRondo, dataset: str) -> dict[str, Any] | None:
    """Return the contract of a dataset; None if there is none yet, or ingestion can't be asked."""
    try:
        return await rondo.dataset(dataset)
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return None


def publish(
    dataset: Annotated[str, typer.Argument(help="The dataset, as the spec's `data.dataset` names it.")],
    file: File,
    batch_id: Annotated[
        str | None,
        typer.Option(help="The batch's id: publishing an id again is a no-op. By default it is a digest of the file."),
    ] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Publish a batch of rows: a Parquet, CSV, JSON Lines or Arrow file, as it is or compressed with gzip (.csv.gz)."""
    name = batch_id or batch_files.batch_id_of(file)

    async def send(rondo: AsyncRondo) -> dict[str, Any]:
        size = batch_files.size_of(file)
        with _progress() as progress:
            task = progress.add_task(f"sending {file.name}", total=size)

            def sent(size: int) -> None:
                progress.advance(task, size)

            report = await rondo.publish(dataset, name, file, sent=sent)
        contract = await _contract(rondo, dataset)
        models = {model for column in (contract or {"columns": []})["columns"] for model in column["models"]}
        return report | {"models": sorted(models)}

    report = session.run(send)
    for note in report["notes"]:
        print_note(f"note: {note}")
    if json:
        print_json(report)
    else:
        _print_report(dataset, name, report)


def _progress() -> Progress:
    console = stderr()
    return Progress(
        # Without markup: the name of a file may have brackets.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _print_report(dataset: str, name: str, report: dict[str, Any]) -> None:
    # A batch whose full report is lost still has its counts.
    quality, version = report["quality"] or {**report["rows"], "reasons": {}}, report["data_version"]["version"]
    rows = f"{quality['accepted']:,} rows accepted, {quality['quarantined']:,} quarantined"
    if report["repeated"]:
        print_text(f"batch {name} was published before, at version {version} of {dataset} ({rows}): nothing was added")
        # An ingestion of an earlier release does not name them.
        if dropped := report.get("dropped_columns"):
            print_text(
                f"  its columns {', '.join(dropped)} were dropped then: if the spec has them now, publish the file with"
                " `--batch-id NEW`"
            )
    else:
        print_text(f"batch {name}: {rows}; {dataset} is at version {version}")
    for reason, rows in quality["reasons"].items():
        print_text(f"  {rows:,} quarantined: {reason}")
    if report["models"] and not report["repeated"]:
        commands = " or ".join(f"`rondo runs {model}`" for model in report["models"])
        print_text(f"{commands} shows whether a training follows, or why not")
