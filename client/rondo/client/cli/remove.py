"""`rondo remove`: take a model out of the system."""

from __future__ import annotations

from typing import Annotated

import typer

from rondo.client.cli import session
from rondo.client.cli.output import Json, print_json, print_text


def remove(
    model: str,
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,  # noqa: FBT002
    json: Json = False,  # noqa: FBT002
) -> None:
    """Remove a model: it is no longer served, trained or monitored, and its data contract no longer applies.

    The events, versions and audit log of the model stay. Needs the role engineer.
    """
    if not yes and not json:
        typer.confirm(f"Remove {model}? It answers no more requests then.", abort=True, err=True)
    removed = session.run(lambda rondo: rondo.remove(model, reason))
    if json:
        print_json(removed)
    else:
        print_text(f"{model} is removed; `rondo apply` brings it back, with its versions")
