"""`rondo promote`, `rollback`, `train` and `remove`: decisions about models."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import event_time
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.cli.versions.models import routes

Reason = Annotated[str, typer.Option(help="Why; it goes into the audit log.")]


def promote(
    model: str,
    version: int,
    reason: Reason = "",
    override: Annotated[  # noqa: FBT002
        bool, typer.Option("--override", help="Promote a version that did not pass its gates.")
    ] = False,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Make a version the champion. Needs the role approver."""
    _print_decision(session.run(lambda rondo: rondo.promote(model, version, reason, override=override)), json=json)


def rollback(
    model: str,
    version: Annotated[int | None, typer.Argument(help="To this version; by default to the previous one.")] = None,
    reason: Reason = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Go back to an earlier version. Needs the role approver."""
    _print_decision(session.run(lambda rondo: rondo.rollback(model, version, reason)), json=json)


def train(
    model: str,
    reason: Reason = "",
    at: Annotated[str, typer.Option(help="Train with the data known at this event time; by default now.")] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Request a training now. Needs the role engineer."""
    requested = session.run(lambda rondo: rondo.train(model, reason, event_time(at) if at else None))
    if json:
        print_json(requested)
    else:
        print_text(f"{model}: training requested; `rondo watch training.started models.promoted` shows what follows")


def remove(
    name: Annotated[str, typer.Argument(help="The model, or with --dataset the dataset.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit log.")] = "",
    dataset: Annotated[bool, typer.Option("--dataset", help="Remove the declaration of a dataset instead.")] = False,  # noqa: FBT002
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """Remove a model: it is no longer served, trained or monitored, and its data contract no longer applies.

    The events, versions and audit log of the model stay. Needs the role approver. A dataset can only be removed if no
    model uses it. Its rows are kept.
    """
    if not yes:
        if json or not _interactive():
            what = "dataset" if dataset else "model"
            raise typer.BadParameter(f"nobody can be asked for a confirmation here: add --yes to remove the {what}")
        follows = "Its batches have no contract of their own" if dataset else "It answers no more requests"
        typer.confirm(f"Remove {name}? {follows} then.", abort=True, err=True)
    if dataset:
        removed = session.run(lambda rondo: rondo.remove_dataset(name, reason))
        text = f"the dataset {name} is no longer declared; its rows stay, and `rondo apply` declares it again"
    else:
        removed = session.run(lambda rondo: rondo.remove(name, reason))
        text = f"{name} is removed; `rondo apply` brings it back, with its versions"
    if json:
        print_json(removed)
    else:
        print_text(text)


def _interactive() -> bool:
    return sys.stdin.isatty()


def _print_decision(model: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(model)
    else:
        print_text(f"{model['model']}: deployment {model['revision']} serves {routes(model)}")
