"""Rondo from an asyncio program."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from rondo.client import messages
from rondo.client.connection import SERVICES
from rondo.client.errors import RefusedError, UnreachableError
from rondo.client.http import dependency_status, inference
from rondo.client.http.ingestion import IngestionClient
from rondo.client.http.registry import RegistryClient
from rondo.client.http.transport import Services
from rondo.client.kafka import event_stream, failed_requests
from rondo.client.kafka.clients import Channels

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    import httpx

    from rondo.client.connection import Connection
    from rondo.client.kafka.event_stream import Since
    from rondo.client.kafka.failed_requests import Failed
    from rondo.client.kafka.predictions import Unanswered
    from rondo.client.kafka.request_source import Requests
    from rondo.client.messages import Prediction
    from rondo.contracts.events.cloudevents import Envelope

ANSWER_SECONDS = 30.0


class AsyncRondo(IngestionClient, RegistryClient):
    """A running Rondo; `async with` it. What it can't do is a RondoError whose text says what to do.

    `user` is who decides, for the audit log. `transport` takes the place of the network in tests.
    """

    def __init__(
        self, connection: Connection, user: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.connection = connection
        self._services = Services(connection, user, transport)
        self._channels = Channels(connection.kafka)

    async def __aenter__(self) -> Self:
        """Open; nothing is asked before it is needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        try:
            await self._channels.aclose()
        finally:
            await self._services.aclose()

    async def predict(
        self,
        model: str,
        features: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - as the contract calls it
        entity: str | None = None,
        event_time: datetime | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Prediction:
        """Ask over Kafka, and return the answer; the id is made up where none is given.

        Raises:
            PredictionRefusedError: serving can't answer this request; its reason says what to send instead.
            PredictionTimeoutError: no answer within `seconds`.
            RefusedError: the request can't be sent, or its id is one that is already waited for.

        """
        request = messages.request(model, features, id, entity, event_time)
        return await (await self._channels.predictions()).ask(request, seconds)

    async def predict_http(
        self,
        model: str,
        features: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - as the contract calls it
        entity: str | None = None,
        event_time: datetime | None = None,
    ) -> Prediction:
        """Ask by the Open Inference Protocol v2, and return the answer.

        Raises:
            RefusedError: it can't be sent, or serving can't answer it.
            NotFoundError: there is no such model.

        """
        request = messages.request(model, features, id, entity, event_time)
        path, headers = f"/v2/models/{quote(model, safe='')}/infer", {"content-type": "application/json"}
        body = inference.body(request)
        try:
            answer = await self._services.json("serving", "POST", path, content=body, headers=headers)
        except RefusedError as error:
            raise inference.in_features(error) from None
        return inference.prediction(request, answer)

    async def inputs(self, model: str) -> dict[str, str]:
        """Return the features that a served model takes, each with its datatype of the Open Inference Protocol."""
        served = await self._services.json("serving", "GET", f"/v2/models/{quote(model, safe='')}")
        return {tensor["name"]: tensor["datatype"] for tensor in served["inputs"]}

    async def stream(
        self, requests: Requests, seconds: float = ANSWER_SECONDS
    ) -> AsyncGenerator[Prediction | Unanswered, None]:
        """Ask for many over Kafka; yields answers as they come.

        In the place of an answer may be why there is none: a refusal, by serving or because it can't even be sent, or
        that none came within `seconds`. The others are not held up by it.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        async with aclosing((await self._channels.predictions()).stream(requests, seconds)) as answers:
            async for answer in answers:
                yield answer

    async def send_outcome(
        self,
        model: str,
        outcome: float | str,
        event_time: datetime,
        *,
        id: str | None = None,  # noqa: A002 - as the contract calls it
        entity: str | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Say how it turned out, known at `event_time`; by the prediction's `id`, else by its `entity`.

        Raises:
            UnreachableError: Kafka did not say within `seconds` that it has it.
            RefusedError: it can't be sent.

        """
        observed = messages.outcome(model, outcome, event_time, id, entity)
        value = observed.model_dump_json(exclude_none=True).encode()
        sender = await self._channels.sender()
        try:
            async with asyncio.timeout(seconds):
                await sender.send(observed.topic, entity or id or "", value)
        except TimeoutError:
            why = f"it did not say within {seconds:g} s that it has the outcome, which may be lost"
            raise UnreachableError("Kafka", self.connection.kafka, why) from None

    async def failed(
        self, model: str | None = None, last: int = 20, *, follow: bool = False
    ) -> AsyncGenerator[Failed, None]:
        """Yield the `last` requests that could not be answered, oldest first; with `follow` then those to come.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        async with aclosing(failed_requests.failed(self.connection.kafka, model, last, follow=follow)) as letters:
            async for letter in letters:
                yield letter

    async def watch(self, *names: str, since: Since = "now") -> AsyncGenerator[Envelope[Any], None]:
        """Yield events as they come, of topics or events by name (of none: of all the control plane).

        Raises:
            UnknownTopicError: a name is neither a topic of events nor an event.

        """
        topics = event_stream.topics_of(names)
        async with aclosing(event_stream.watch(self.connection.kafka, topics, since)) as envelopes:
            async for envelope in envelopes:
                yield envelope

    async def status(self) -> dict[str, dict[str, Any]]:
        """Return of every service whether it is `ready`, and `checks`: what each thing says that it stands on.

        Then the same of `kafka` and `postgresql`, as the services see them; `ready` is None where nobody can tell.
        """
        answers = await asyncio.gather(*(self._services.readiness(service) for service in SERVICES))
        services = dict(zip(SERVICES, answers, strict=True))
        return services | dependency_status.seen_by(services, self.connection.kafka)
