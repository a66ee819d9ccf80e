"""`rondo register`: a model that was made elsewhere."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import event_time
from rondo.client.cli.output import Json, print_json, print_text
from rondo.client.registration.client import WAIT_SECONDS

if TYPE_CHECKING:
    from rondo.client.registration.outcome import Registration

# 0: promoted, or a rollout began. 1: refused, as for all errors of commands. 2: a wrong argument.
EXIT_CODES = {"promoted": 0, "rolling_out": 0, "refused": 1, "rejected": 3, "withdrawn": 3, "requested": 4}


def register(  # noqa: PLR0913, PLR0917 - options of the command line
    model: str,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="An ONNX file.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit log.")] = "",
    trained_until: Annotated[
        str, typer.Option(help="The newest event time of the rows that it was fitted to: later ones evaluate it.")
    ] = "",
    classes: Annotated[str, typer.Option(help="The classes in the order of the probabilities: no,yes.")] = "",
    features: Annotated[str, typer.Option(help="The columns of an input that has several: temp,wind.")] = "",
    output: Annotated[str, typer.Option(help="The output that is the prediction, of several.")] = "",
    wait: Annotated[float, typer.Option(min=0, help="How many seconds to wait for the outcome.")] = WAIT_SECONDS,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Register an ONNX model that was made elsewhere. It is scored, gated and deployed like a trained model.

    Exit code 0: promoted, or it passed its gates and its rollout began. 1: refused, it can't be evaluated. 3: rejected
    by a gate, or withdrawn since. 4: no outcome yet. Needs the role engineer.
    """
    registered = session.run(
        lambda rondo: rondo.register(
            model,
            file,
            reason=reason,
            trained_until=event_time(trained_until) if trained_until else None,
            classes=_listed(classes),
            features=_listed(features),
            output=output or None,
            seconds=wait,
        )
    )
    if json:
        print_json(registered.model_dump())
    else:
        print_text(f"{model}: {_outcome(registered)}")
    raise typer.Exit(EXIT_CODES[registered.status])


def _listed(text: str) -> list[str] | None:
    return [each.strip() for each in text.split(",")] if text else None


def _outcome(registered: Registration) -> str:
    reasons = "; ".join(registered.reasons)
    compared = "".join(f"; {each}" for each in registered.not_compared)
    match registered.status:
        case "promoted":
            return f"version {registered.version}, promoted{compared}"
        case "rolling_out":
            return (
                f"version {registered.version} passed its gates{compared};"
                f" `rondo rollout {registered.model}` shows its rollout"
            )
        case "withdrawn":
            return (
                f"version {registered.version} passed its gates and does not serve any more;"
                f" `rondo history {registered.model}` shows why"
            )
        case "rejected":
            return f"version {registered.version}, rejected because {reasons}"
        case "refused":
            return f"refused because {reasons}"
        case _:
            what = "its run" if registered.version is None else f"version {registered.version}"
            state = f" ({what} is {registered.state})" if registered.state else ""
            return f"no outcome yet{state}; `rondo runs {registered.model}` shows it under the trigger registration"
