"""`rondo promote`, `rondo rollback` and `rondo train`: decisions about models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import event_time
from rondo.client.cli.models import routes
from rondo.client.cli.output import Json, print_json, print_text

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


def _print_decision(model: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(model)
    else:
        print_text(f"{model['model']}: deployment {model['revision']} serves {routes(model)}")
