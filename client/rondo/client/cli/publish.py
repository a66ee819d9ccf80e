"""`rondo apply`, `rondo datasets` and `rondo publish`: specs and batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_note, print_table, print_text, stderr
from rondo.client.errors import ForbiddenError, NotFoundError, RefusedError, UnavailableError, UnreachableError
from rondo.client.http import batch_files
from rondo.contracts.figures import counted
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.file import parse_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.client.asynchronous import AsyncRondo
    from rondo.contracts.spec.model import ModelSpec

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]


Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True, show_default=False)]

# The longest time that `rondo apply` waits for ingestion to receive the spec of a dataset.
_INGESTION_SECONDS = 10.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class _SpecFile:
    file: Path
    text: str
    spec: ModelSpec | DatasetSpec


def apply(files: Files, json: Json = False) -> None:  # noqa: FBT002 - a flag of the command line
    """Apply specs of models (rondo.yaml) and of datasets (`kind: dataset`), those of datasets first.

    Faults are reported by line, before anything is sent.
    """
    specs = [_read_spec(file) for file in files]  # first, so that faults are reported even if no Rondo runs
    specs.sort(key=lambda each: not isinstance(each.spec, DatasetSpec))
    results = []
    for each in specs:
        applied = session.run(partial(_apply_spec, each=each))
        for warning in applied["warnings"]:
            print_note(f"warning: {warning}")
        results.append(applied)
        if not json:
            _print_applied(applied)
    if json:
        print_json(results[0] if len(results) == 1 else results)


def _read_spec(file: Path) -> _SpecFile:
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8", code="not_utf8"
        ) from None
    return _SpecFile(file, text, parse_any(text, str(file)))


async def _apply_spec(rondo: AsyncRondo, each: _SpecFile) -> dict[str, Any]:
    if isinstance(each.spec, DatasetSpec):
        applied = await rondo.apply(each.text, str(each.file))
        late = await _until_ingestion_has(rondo, each.spec.dataset, applied["digest"])
        return applied | {"warnings": [*applied.get("warnings", ()), *late]}
    before = await _contract(rondo, each.spec.data.dataset)
    applied = await rondo.apply(each.text, str(each.file))
    return applied | {"warnings": [*applied.get("warnings", ()), *_warnings(each.spec, before)]}


async def _until_ingestion_has(rondo: AsyncRondo, dataset: str, digest: str) -> tuple[str, ...]:
    """Wait until ingestion checks batches by the spec with this digest. Return a warning if this takes too long.

    Ingestion receives the spec from a topic, after the registry has answered. The function returns at once if ingestion
    does not answer.
    """
    try:
        async with asyncio.timeout(_INGESTION_SECONDS):
            while True:
                if await _contract_digest(rondo, dataset) == digest:
                    return ()
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return (f"ingestion does not have the spec of {dataset} yet: it may still check batches by the one before",)
    except (UnreachableError, UnavailableError, ForbiddenError):
        return ()


async def _contract_digest(rondo: AsyncRondo, dataset: str) -> str | None:
    try:
        digest: str | None = (await rondo.dataset(dataset)).get("contract")
    except NotFoundError:
        return None
    return digest


def _print_applied(applied: dict[str, Any]) -> None:
    state = "is in force" if applied.get("changed", True) else "was in force already"
    name = applied.get("model") or f"dataset {applied['dataset']}"
    print_text(f"{name}: revision {applied['revision']} {state} ({applied['digest']})")
    for change in applied.get("changes", ()):
        if not change["is_stricter"]:  # stricter changes are printed as warnings
            print_text(f"  {change['message']}")


def datasets(json: Json = False) -> None:  # noqa: FBT002
    """List the declared datasets with the models that use them. Datasets without a dataset spec are not listed."""
    found = session.run(lambda rondo: rondo.declared_datasets())
    if json:
        print_json(found)
        return
    rows = [
        (
            each["dataset"],
            each["revision"],
            ", ".join(each["spec"]["entity"]),
            each["spec"]["event_time"],
            len(each["spec"]["columns"]),
            ", ".join(each["models"]) or "none",
        )
        for each in found
    ]
    print_table(("dataset", "revision", "entity", "event time", "columns", "models"), rows)


def _warnings(spec: ModelSpec, before: dict[str, Any] | None) -> Iterator[str]:
    """Yield warnings for the author of a spec. `before` is the contract of its dataset without the spec."""
    if not spec.gates.model_dump(exclude_defaults=True):
        yield (
            f"{spec.model} has no gates: a new version is promoted whatever its metrics are. Add `gates` to refuse "
            "one that is too poor"
        )
    # The registry refuses a spec that does not fit its declared dataset. An earlier ingestion does not send `declared`.
    if before is None or before["data_version"] is None or before.get("declared"):
        return
    accepted = {column["name"] for column in before["columns"]}
    required = _required(spec)
    lacking = [name for name in required if name not in accepted]
    models = sorted({model for column in before["columns"] for model in column["models"]} - {spec.model})
    for name in lacking:
        if close := get_close_matches(name, sorted(accepted.difference(required)), n=1):
            what = "label" if name == spec.data.label else "column"
            yield f"the {what} {name!r} is new to {spec.data.dataset}, whose batches have {close[0]!r}: is it misspelt?"
    if lacking:
        yield (
            f"the batches of {spec.data.dataset} so far have the columns that {', '.join(models) or 'its spec'} asked "
            f"for, without {', '.join(lacking)}: a batch without {'it' if len(lacking) == 1 else 'them'} is refused "
            "from now on, for all models of the dataset. Publish with these columns, make a feature `optional` in the "
            "spec, or use a dataset of its own"
        )


def _required(spec: ModelSpec) -> list[str]:
    """Return the columns that the spec requires in a batch."""
    features = [name for name, each in spec.features.items() if each.is_sent and not each.optional]
    return [spec.data.entity, spec.data.event_time, *features, spec.data.label]


async def _contract(rondo: AsyncRondo, dataset: str) -> dict[str, Any] | None:
    """Return the contract of a dataset. None if there is none yet, or if ingestion does not answer."""
    try:
        return await rondo.dataset(dataset)
    except (UnreachableError, UnavailableError, ForbiddenError, NotFoundError):
        return None


def publish(
    dataset: Annotated[
        str, typer.Argument(help="The dataset, as its spec or `data.dataset` of a model's spec names it.")
    ],
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
        # Markup is off, because the name of a file may have brackets.
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _print_report(dataset: str, name: str, report: dict[str, Any]) -> None:
    # The counts are also known for a batch whose full report is lost.
    quality, version = report["quality"] or {**report["rows"], "reasons": {}}, report["data_version"]["version"]
    rows = f"{counted(quality['accepted'], 'row')} accepted, {quality['quarantined']:,} quarantined"
    if report["repeated"]:
        print_text(f"batch {name} was published before, at version {version} of {dataset} ({rows}): nothing was added")
        # Ingestion of an earlier release does not send them.
        if dropped := report.get("dropped_columns"):
            print_text(
                f"  its columns {', '.join(dropped)} were dropped then: if the spec has them now, publish the file with"
                " `--batch-id NEW`"
            )
    else:
        print_text(f"batch {name}: {rows}; {dataset} is at version {version}")
    examples = quality.get("examples", {})  # reports of an earlier release have none
    for reason, number in quality["reasons"].items():
        print_text(f"  {number:,} quarantined: {reason}{f', such as {examples[reason]}' if reason in examples else ''}")
    if quality["quarantined"]:
        print_text(f"  `rondo quarantine {dataset} --batch-id {name}` shows these rows")
    if report["models"] and not report["repeated"]:
        commands = " or ".join(f"`rondo runs {model}`" for model in report["models"])
        print_text(f"{commands} shows whether a training follows, or why not")
