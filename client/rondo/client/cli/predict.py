"""`rondo predict`: one request with its features as arguments, or many from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import event_time as time_of
from rondo.client.cli.arguments import features
from rondo.client.cli.bulk import predictions as bulk
from rondo.client.cli.monitoring import check_now_as_event_time
from rondo.client.cli.output import Json, print_note, print_prediction

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.prediction import Prediction


def predict(  # noqa: PLR0913, PLR0917 - the options of a command
    model: str,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="The features; an empty value is missing.")
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Send it over HTTP instead of Kafka.")] = False,  # noqa: FBT002
    requests: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Stream requests from JSON Lines ({features, id, ...}; - is stdin), or the rows of any file that"
            " `rondo publish` takes.",
        ),
    ] = None,
    id: Annotated[str | None, typer.Option(help="The request's id; random by default.")] = None,  # noqa: A002
    entity: Annotated[str | None, typer.Option(help="What it is about; outcomes can refer to it.")] = None,
    event_time: Annotated[str, typer.Option(help="When it is asked, such as 2013-03-01T12:00:00Z.")] = "",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 30.0,
    json: Json = False,  # noqa: FBT002
) -> None:
    """Ask a model for a prediction."""
    if requests is not None:
        raise typer.Exit(bulk.run(requests, model, timeout, json=json))
    at = time_of(event_time) if event_time else None

    notes: list[str | None] = []

    async def ask(rondo: AsyncRondo) -> Prediction:
        sent = features(pairs or [], await rondo.inputs(model))
        if at is None:
            notes.append(await check_now_as_event_time(rondo, model))
        if http:
            return await rondo.predict_http(model, sent, id=id, entity=entity, event_time=at)
        return await rondo.predict(model, sent, id=id, entity=entity, event_time=at, seconds=timeout)

    print_prediction(session.run(ask), json=json)
    for note in filter(None, notes):
        print_note(note)
