"""`rondo predict`: one request with its features on the command line, or many from a file."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import orjson
import typer

from rondo.client import features, messages
from rondo.client.cli.data import moment
from rondo.client.cli.screen import Json, complain, note, print_json, print_text
from rondo.client.cli.session import using
from rondo.client.errors import PredictionRefusedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.messages import Prediction
    from rondo.contracts.predictions import PredictionRequested


def predict(  # noqa: PLR0913, PLR0917 - the options of a command
    model: str,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="The features; an empty value is missing.")
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Ask over HTTP instead of Kafka.")] = False,  # noqa: FBT002
    requests: Annotated[
        typer.FileText | None,
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
        raise typer.Exit(using(lambda rondo: _stream(rondo, _read(requests, model), timeout, json=json)))
    at = moment(event_time) if event_time else None

    async def ask(rondo: AsyncRondo) -> Prediction:
        sent = features.parse(pairs or [], await rondo.inputs(model))
        if http:
            return await rondo.predict_http(model, sent, id=id, entity=entity, event_time=at)
        return await rondo.predict(model, sent, id=id, entity=entity, event_time=at, seconds=timeout)

    _show(using(ask), json=json)


async def _stream(rondo: AsyncRondo, requests: Iterator[PredictionRequested], seconds: float, *, json: bool) -> int:
    answered = refused = 0
    async with aclosing(rondo.stream(requests, seconds)) as answers:
        async for answer in answers:
            if isinstance(answer, PredictionRefusedError):
                refused += 1
                complain(str(answer))
            else:
                answered += 1
                _show(answer, json=json)
    note(f"{answered:,} answered, {refused:,} refused")
    return 1 if refused else 0


def _read(lines: TextIO, model: str) -> Iterator[PredictionRequested]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _request(line, model, f"line {number}")


def _request(line: str, model: str, place: str) -> PredictionRequested:
    form = '{"features": {...}}, and if wanted "id", "entity", "event_time"'
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"{place} is not JSON ({error}): write {form}") from None
    if not isinstance(content, dict) or not isinstance(content.get("features"), dict):
        raise RefusedError(f"{place} has no features: write {form}")
    at: datetime | None = moment(content["event_time"]) if content.get("event_time") else None
    return messages.request(
        content.get("model", model), content["features"], content.get("id"), content.get("entity"), at
    )


def _show(prediction: Prediction, *, json: bool) -> None:
    value: dict[str, Any] = prediction.model_dump(mode="json")
    if json:
        print_json(value)
    else:
        print_text(f"{prediction.id}  {prediction.score:.4f}  (version {prediction.model_version})")
