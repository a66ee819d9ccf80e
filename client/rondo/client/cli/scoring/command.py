"""The options and the output of `rondo score`."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_error, print_json, print_list, print_note, print_text
from rondo.client.cli.scoring import local_file
from rondo.client.cli.scoring.progress import JobProgress, rate, remaining
from rondo.client.cli.scoring.rows import OUTPUTS
from rondo.client.scoring.job import POLL_SECONDS, followed
from rondo.contracts.vocabularies import ScoringState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rondo.client.asynchronous import AsyncRondo

_DATA = re.compile(r"([a-z][a-z0-9_-]{0,62})(?:@(\d{1,9}))?")
_FAILED = 1


def score(  # noqa: PLR0913, PLR0917 - the options of a command
    model: Annotated[str, typer.Argument()] = "",
    version: Annotated[int | None, typer.Argument(min=1, help="Any version that the model ever had.")] = None,
    data: Annotated[
        str, typer.Option(metavar="DATASET[@VERSION]", help="Score a whole dataset; by default its newest version.")
    ] = "",
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Score a file that `rondo publish` takes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help=f"The file of the scores of a --file: {', '.join(OUTPUTS)}.")] = None,
    resume: Annotated[str, typer.Option(metavar="JOB", help="Resume a job, and show its progress.")] = "",
    status: Annotated[bool, typer.Option("--status", help="Show the progress of all jobs.")] = False,  # noqa: FBT002
    wait: Annotated[bool, typer.Option(help="Wait for the end of the job.")] = True,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """Score all rows of a dataset into a table, or those of a file into a file, by any version of a model.

    The same command again continues with the remaining rows. Exit code 1: the job ended without scores, and
    the next step is printed. A row that the version can't score has an `error` in the scores. Needs the role predictor
    or engineer.
    """
    if status:
        _list(session.run(lambda rondo: rondo.scoring_jobs()), json=json)
        return
    if bool(data) + (file is not None) + bool(resume) != 1:
        message = "give one of --data DATASET, --file FILE, --resume JOB and --status"
        raise typer.BadParameter(message)
    if not resume and not (model and version is not None):
        message = "give a model and the number of one of its versions (`rondo models MODEL` lists them)"
        raise typer.BadParameter(message)
    if file is not None:
        if out is None:
            message = "give --out FILE for the scores"
            raise typer.BadParameter(message)
        raise typer.Exit(local_file.run(model, version or 0, file, out, json=json))
    named = _DATA.fullmatch(data)
    if data and named is None:
        message = f"{data!r} is not a dataset: write its name, or its name and a version, such as flights@12"
        raise typer.BadParameter(message)
    job = session.run(lambda rondo: _score(rondo, model, version or 0, named, resume, wait=wait, json=json))
    _show(job, json=json)
    failed = job["ended_at"] is not None and job["state"] != ScoringState.DONE
    raise typer.Exit(_FAILED if failed else 0)


async def _score(
    rondo: AsyncRondo,
    model: str,
    version: int,
    named: re.Match[str] | None,
    resume: str,
    *,
    wait: bool,
    json: bool,
) -> dict[str, Any]:
    if named is None:
        known = await rondo.scoring_job(resume)
        model, version = known["model"], known["model_version"]
        dataset, data_version = known["dataset"], known["data_version"]
    else:
        dataset = named[1]
        data_version = int(named[2]) if named[2] else await rondo.data_version(dataset)
    requested = await rondo.score(model, version, dataset, data_version)
    at = datetime.fromisoformat(requested["at"])
    with JobProgress(json=json or not wait) as progress:
        async for state in followed(rondo, requested["job"], at, POLL_SECONDS):
            progress.show(state)
            if not wait:
                break
    return state


def _show(job: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(job)
        return
    what = f"version {job['model_version']} of {job['model']}"
    match job["state"]:
        case ScoringState.DONE:
            print_text(f"{job['scored']:,} rows scored by {what}, {job['refused']:,} of them refused")
            print_text(f"they are in the table {job['scores']['table']} of the data storage")
        case ScoringState.FAILED:
            print_error(f"scoring job {job['job']} failed: {job['reason']}")
            print_note(f"`rondo score --resume {job['job']}` scores the remaining rows")
        case state:
            reason = f" ({job['reason']})" if job["reason"] else ""
            print_text(f"job {job['job']} is {state}{reason}; `rondo score --resume {job['job']}` shows its progress")


def _list(jobs: Sequence[dict[str, Any]], *, json: bool) -> None:
    columns = ("job", "version", "data", "state", "rows", "scored", "refused", "rows/s", "left", "why")
    print_list(jobs, columns, _cells, empty="there is no scoring job", json=json)


def _cells(job: dict[str, Any]) -> Sequence[object]:
    return (
        job["job"], f"{job['model']} {job['model_version']}", f"{job['dataset']}@{job['data_version']}", job["state"],
        job["rows"], job["scored"], job["refused"], rate(job), remaining(job), job["reason"] or None,
    )  # fmt: skip
