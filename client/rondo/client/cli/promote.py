"""`rondo promote`, `rollback`, `train`: what people decide about models."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rondo.client.cli.models import routes
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.cli.publish import event_time
from rondo.client.cli.session import using

Reason = Annotated[str, typer.Option(help="Why; it goes into the audit log.")]


def promote(
    model: str,
    version: int,
    reason: Reason = "",
    override: Annotated[  # noqa: FBT002
        bool, typer.Option("--override", help="Take the responsibility for a version that did not pass its gates.")
    ] = False,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Make a version the champion."""
    _decided(using(lambda rondo: rondo.promote(model, version, reason, override=override)), json=json)


def rollback(
    model: str,
    version: Annotated[int | None, typer.Argument(help="To this version; to the previous one by default.")] = None,
    reason: Reason = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Go back to an earlier version."""
    _decided(using(lambda rondo: rondo.rollback(model, version, reason)), json=json)


def train(
    model: str,
    reason: Reason = "",
    at: Annotated[str, typer.Option(help="Train with what was known at this time; now by default.")] = "",
    json: Json = False,  # noqa: FBT002
) -> None:
    """Train a model now."""
    asked = using(lambda rondo: rondo.train(model, reason, event_time(at) if at else None))
    if json:
        print_json(asked)
    else:
        print_text(
            f"{model}: a training is requested; `rondo watch training.started models.promoted` shows what follows"
        )


def _decided(model: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(model)
    else:
        print_text(f"{model['model']}: deployment {model['revision']} serves {routes(model)}")
