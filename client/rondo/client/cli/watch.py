"""`rondo watch`: subscribe to events from a terminal."""

from __future__ import annotations

import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli.output import Json, note, print_json, print_text
from rondo.client.cli.publish import moment
from rondo.client.cli.session import using
from rondo.client.event_summaries import headline
from rondo.client.kafka.event_stream import topics_of

if TYPE_CHECKING:
    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.event_stream import Since
    from rondo.contracts.events.cloudevents import Envelope

_FETCHED_BEFORE_SECONDS = 2.0
_FIXED: dict[str, Since] = {"now": "now", "beginning": "beginning"}


def watch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC]...", help="Such as models.promoted or ModelPromoted; all events by default."),
    ] = None,
    since: Annotated[str, typer.Option(help="now, beginning, or a time such as 2013-03-01T12:00:00Z.")] = "now",
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0 goes on until Ctrl-C.")] = 0,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Print events as they come, a line each."""
    topics_of(names or [])
    start: Since = _FIXED.get(since) or moment(since)
    away = _Away()
    # Only what fetches events knows that they have stopped coming.
    logging.getLogger("aiokafka.consumer.fetcher").addHandler(away)

    async def follow(rondo: AsyncRondo) -> None:
        left = count
        async with aclosing(rondo.watch(*names or [], since=start)) as envelopes:
            async for envelope in envelopes:
                away.over()
                print_json(_as_json(envelope)) if json else print_text(_line(envelope))
                left -= 1
                if left == 0:
                    return

    using(follow)


class _Away(logging.Handler):
    """Says once that Kafka does not answer, and not each time that it is tried again."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._told_at: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, if that is news."""
        if self._told_at is None:
            self._told_at = time.monotonic()
            note(f"Kafka does not answer, and is waited for ({record.getMessage()})")

    def over(self) -> None:
        """Take the next time for news, unless what came had been fetched before."""
        if self._told_at is not None and time.monotonic() - self._told_at > _FETCHED_BEFORE_SECONDS:
            self._told_at = None


def _line(envelope: Envelope[Any]) -> str:
    at = envelope.time.astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}  {type(envelope.data).__name__:<19} {envelope.data.key}: {headline(envelope.data)}"


def _as_json(envelope: Envelope[Any]) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "source": envelope.source,
        "time": envelope.time,
        "topic": envelope.data.topic,
        "type": envelope.data.event_type(),
        "data": envelope.data.model_dump(mode="json"),
    }
