"""`rondo watch`: subscribe to events from a terminal."""

from __future__ import annotations

import logging
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rondo.client.cli import session
from rondo.client.cli.arguments import local_time
from rondo.client.cli.output import Json, print_json, print_note, print_text
from rondo.client.event_summaries import summarize
from rondo.client.kafka.event_stream import topics_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.client.asynchronous import AsyncRondo
    from rondo.client.kafka.event_stream import Since
    from rondo.contracts.events.cloudevents import Envelope

# A replay has older events, which do not end an outage. Its outage ends after this time.
_LONGEST_NOTICE = timedelta(minutes=1)
# Fetches fail repeatedly while Kafka is unavailable: within a fraction of a second, or after a timeout.
_SHORTEST_OUTAGE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
_FIXED: dict[str, Since] = {"now": "now", "beginning": "beginning"}


def watch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC]...", help="Such as models.promoted or ModelPromoted; all events by default."),
    ] = None,
    since: Annotated[str, typer.Option(help="now, beginning, or a time such as 2013-03-01T12:00:00Z.")] = "now",
    count: Annotated[int, typer.Option(min=0, help="Stop after this many events; 0 continues until Ctrl-C.")] = 0,
    json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Print events as they happen, one line each."""
    topics_of(names or [])
    start: Since = _FIXED.get(since) or local_time(since)
    outage = OutageNotice()
    # The client waits for Kafka without a message. Only the fetcher's log shows that Kafka is unavailable.
    logging.getLogger("aiokafka.consumer.fetcher").addHandler(outage)

    async def follow(rondo: AsyncRondo) -> None:
        left = count
        async with aclosing(rondo.watch(*names or [], since=start)) as envelopes:
            async for envelope in envelopes:
                outage.on_event(envelope.time)
                print_json(_as_json(envelope)) if json else print_text(_line(envelope))
                left -= 1
                if left == 0:
                    return

    session.run(follow)


class OutageNotice(logging.Handler):
    """Prints one message per outage of Kafka. A failure that the next fetch recovers from does not count."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(logging.ERROR)
        self._now = now
        # The first and the last of consecutive failures.
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._noticed = False

    def emit(self, record: logging.LogRecord) -> None:
        now = self._now()
        if self._first is None or self._last is None or (not self._noticed and now - self._last > _LONGEST_PAUSE):
            self._first = now
        self._last = now
        if not self._noticed and now - self._first >= _SHORTEST_OUTAGE:
            self._noticed = True
            print_note(f"Kafka does not answer; waiting for it ({record.getMessage()})")

    def on_event(self, published: datetime) -> None:
        """End the outage if this event was published after it began. An older event may have been fetched before it.

        A replay only has older events, so its outage ends after a minute.
        """
        if self._first is not None and (published > self._first or self._now() > self._first + _LONGEST_NOTICE):
            self._first, self._noticed = None, False


def _line(envelope: Envelope[Any]) -> str:
    at = envelope.time.astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}  {type(envelope.data).__name__:<19} {envelope.data.key}: {summarize(envelope.data)}"


def _as_json(envelope: Envelope[Any]) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "source": envelope.source,
        "time": envelope.time,
        "topic": envelope.data.topic,
        "type": envelope.data.event_type(),
        "data": envelope.data.model_dump(mode="json"),
    }
