"""The asyncio client."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from rondo.client import messages
from rondo.client.connection import SERVICES
from rondo.client.errors import RefusedError
from rondo.client.http import inference
from rondo.client.http.dependency_status import dependency_status
from rondo.client.http.ingestion import IngestionClient
from rondo.client.http.monitor import MonitorClient
from rondo.client.http.transport import HttpTransport
from rondo.client.kafka import event_stream
from rondo.client.kafka.clients import KafkaClients
from rondo.client.kafka.failed_requests import OUTCOMES, REQUESTS, failed_requests
from rondo.client.kafka.outcomes import send_outcomes
from rondo.client.registration.client import RegistrationClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from datetime import datetime

    import httpx

    from rondo.client.connection import Connection
    from rondo.client.errors import RondoError
    from rondo.client.kafka.event_stream import Since
    from rondo.client.kafka.failed_requests import FailedRequest
    from rondo.client.kafka.predictions import Unanswered
    from rondo.client.kafka.request_source import Requests
    from rondo.client.prediction import Prediction
    from rondo.contracts.events.cloudevents import Envelope
    from rondo.contracts.events.predictions import OutcomeObserved

ANSWER_SECONDS = 30.0


class AsyncRondo(IngestionClient, RegistrationClient, MonitorClient):
    """A client of a running Rondo. Use it with `async with`. Connections are opened when they are first needed.

    `transport` replaces the network in tests. Every error is a RondoError whose text says what to do next.
    """

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.connection = connection
        self._http = HttpTransport(connection, transport)
        self._kafka = KafkaClients(connection.kafka)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._kafka.aclose()
        finally:
            await self._http.aclose()

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
        """Send a request over Kafka, and return the answer. Without `id` the request gets a random one.

        Raises:
            PredictionRefusedError: serving can't answer this request. Its reason says what to send instead.
            PredictionTimeoutError: no answer within `seconds`. Its `delivery` says whether Kafka has the request.
            RefusedError: the request can't be encoded, or another one of its id is pending.
            UnreachableError: Kafka does not answer at the first request of this client.

        """
        request = messages.request(model, features, id, entity, event_time)
        return await (await self._kafka.predictions()).predict(request, seconds)

    async def score_rows(self, message: bytes) -> bytes:
        """Send a message of `scores.requested` to serving over HTTP, and return its answer, one of `scores.made`.

        Raises:
            RefusedError: no row of the message can be scored.
            UnavailableError: too many such requests are waiting. The message may be sent again.

        """
        headers = {"content-type": "application/vnd.apache.arrow.stream"}
        answer = await self._http.request("serving", "POST", "/v2/scores", content=message, headers=headers)
        return answer.content

    async def predict_http(
        self,
        model: str,
        features: Mapping[str, Any],
        *,
        id: str | None = None,  # noqa: A002 - as the contract calls it
        entity: str | None = None,
        event_time: datetime | None = None,
    ) -> Prediction:
        """Send a request by the Open Inference Protocol v2, and return the answer.

        Raises:
            RefusedError: the request can't be encoded, or serving can't answer it.
            NotFoundError: the model does not exist.

        """
        request = messages.request(model, features, id, entity, event_time)
        path, headers = f"/v2/models/{quote(model, safe='')}/infer", {"content-type": "application/json"}
        body = inference.body(request)
        try:
            answer = await self._http.json("serving", "POST", path, content=body, headers=headers)
        except RefusedError as error:
            raise inference.in_features(error) from None
        return inference.prediction(request, answer)

    async def inputs(self, model: str) -> dict[str, str]:
        """Return the features of a deployed model, with the Open Inference Protocol's datatype by name."""
        served = await self._http.json("serving", "GET", f"/v2/models/{quote(model, safe='')}")
        return {tensor["name"]: tensor["datatype"] for tensor in served["inputs"]}

    async def classes(self, model: str) -> tuple[str, ...]:
        """Return the classes of a deployed model's probabilities, as texts. None if the model predicts numbers."""
        served = await self._http.json("serving", "GET", f"/v2/models/{quote(model, safe='')}")
        labels = [(tensor.get("parameters") or {}).get("labels", ()) for tensor in served["outputs"]]
        return tuple(str(label) for each in labels for label in each)

    async def stream(
        self, requests: Requests, seconds: float = ANSWER_SECONDS
    ) -> AsyncGenerator[Prediction | Unanswered, None]:
        """Send many requests over Kafka. Yield one result for each, in the order in which the results arrive.

        A result is a prediction or an error: a refusal by serving, the error of a request that can't be encoded, or a
        PredictionTimeoutError. While Kafka is unavailable, requests wait. The stream resumes afterwards.

        Raises:
            UnreachableError: Kafka does not answer at the start, or refuses this client.

        """
        async with aclosing((await self._kafka.predictions()).stream(requests, seconds)) as answers:
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
        """Send the true outcome, known at `event_time`, of the prediction `id` or of the entity `entity`.

        Raises:
            OutcomeTimeoutError: Kafka did not acknowledge the outcome within `seconds`.
            RefusedError: the outcome can't be sent.

        """
        observed = messages.outcome(model, outcome, event_time, id, entity)
        (error,) = await self.send_outcomes([observed], seconds)
        if error is not None:
            raise error

    async def send_outcomes(
        self, outcomes: Iterable[OutcomeObserved], seconds: float = ANSWER_SECONDS
    ) -> list[RondoError | None]:
        """Send outcomes in their order. Return None for each acknowledged one, and an error for each other.

        Raises:
            UnreachableError: Kafka does not answer at the first message of this client.

        """
        return await send_outcomes(await self._kafka.producer(), outcomes, seconds)

    async def failed(
        self, model: str | None = None, last: int = 20, *, follow: bool = False, outcomes: bool = False
    ) -> AsyncGenerator[FailedRequest, None]:
        """Yield the `last` requests that could not be answered, the oldest first. With `follow`, new ones come next.

        With `outcomes`, yield the outcomes that ingestion refused in place of requests.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        source = OUTCOMES if outcomes else REQUESTS
        async with aclosing(failed_requests(self.connection.kafka, source, model, last, follow=follow)) as found:
            async for failed in found:
                yield failed

    async def watch(self, *names: str, since: Since = "now") -> AsyncGenerator[Envelope[Any], None]:
        """Yield the events of `names`, which are topics or events.

        Without names, yield all events of the control plane.

        Raises:
            UnknownTopicError: a name is neither a topic with events nor an event.

        """
        topics = event_stream.topics_of(names)
        async with aclosing(event_stream.watch(self.connection.kafka, topics, since)) as envelopes:
            async for envelope in envelopes:
                yield envelope

    async def status(self) -> dict[str, dict[str, Any]]:
        """Return `ready`, `url`, `checks` (the state of the dependencies) and `message` by service.

        `kafka` and `postgresql` follow, as the services report them. `ready` is None if it is unknown.
        """
        answers = await asyncio.gather(*(self._http.readiness(service) for service in SERVICES))
        services = dict(zip(SERVICES, answers, strict=True))
        return services | dependency_status(services, str(self.connection.kafka))
