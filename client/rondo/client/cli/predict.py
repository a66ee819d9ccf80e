"""`rondo predict`: one request with its features on the command line, or many from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.cli import feature_arguments, predict_many
from rondo.client.cli.output import Json, show_prediction
from rondo.client.cli.publish import event_time as time_of
from rondo.client.cli.session import using

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.messages import Prediction


def predict(  # noqa: PLR0913, PLR0917 - the options of a command
    model: str,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="The features; an empty value is missing.")
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Ask over HTTP instead of Kafka.")] = False,  # noqa: FBT002
    requests: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            "--from", metavar="FILE", help="Stream requests from JSON Lines ({features, id, ...}); - is stdin."
        ),
    ] = None,
    id: Annotated[str | None, typer.Option(help="The request's id; made up by default.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="What it is about, for outcomes to refer to.")] = None,
    event_time: Annotated[str, typer.Option(help="When it is asked for, such as 2013-03-01T12:00:00Z.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 30.0,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Ask a model for a prediction."""
    if requests is not None:
        raise typer.Exit(predict_many.run(requests, model, timeout, json=json))
    at = time_of(event_time) if event_time else None

    async def ask(rondo: AsyncRondo) -> Prediction:
        sent = feature_arguments.parse(pairs or [], await rondo.inputs(model))
        if http:
            return await rondo.predict_http(model, sent, id=id, entity=entity, event_time=at)
        return await rondo.predict(model, sent, id=id, entity=entity, event_time=at, seconds=timeout)

    show_prediction(using(ask), json=json)
