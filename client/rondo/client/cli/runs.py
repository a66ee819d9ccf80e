"""`rondo runs`: training runs, and the trainings that were skipped."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, minute, print_json, print_table, print_text


def runs(
    model: Annotated[str | None, typer.Argument(help="List only those of this model.")] = None,
    json: Json = False,  # noqa: FBT002
) -> None:
    """List the latest training runs and skipped trainings, newest first: their trigger, end and reason."""
    found = session.run(lambda rondo: rondo.runs(model))
    if json:
        print_json(found)
    elif not found:
        whose = f"{model} has " if model is not None else ""
        print_text(f"{whose}no training runs yet: `rondo watch training.started` shows the next one")
    else:
        print_table(("run", "model", "state", "trigger", "started", "finished", "detail"), map(_cells, found))


def _cells(run: dict[str, Any]) -> tuple[object, ...]:
    started, finished = minute(run["started_at"]), minute(run["finished_at"])
    return run["run_id"], run["model"], run["state"], run["trigger"]["kind"], started, finished, run["detail"]
