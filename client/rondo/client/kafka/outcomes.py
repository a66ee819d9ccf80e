"""Sends outcomes in their order, and returns an acknowledgement or an error for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rondo.client.errors import OutcomeTimeoutError, RondoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from rondo.client.kafka.producer import Producer
    from rondo.contracts.events.predictions import OutcomeObserved


async def send_outcomes(
    producer: Producer, outcomes: Iterable[OutcomeObserved], seconds: float
) -> list[RondoError | None]:
    """Send outcomes. Return None, or the error if Kafka did not acknowledge the outcome within `seconds`, for each."""
    deadline = asyncio.get_running_loop().time() + seconds
    # Outcomes are sent one by one, so that a later outcome of the same prediction follows the earlier one.
    handed_over = [await _hand_over(producer, each, deadline, seconds) for each in outcomes]
    return list(await asyncio.gather(*(_acknowledged(each, deadline, seconds) for each in handed_over)))


async def _hand_over(
    producer: Producer, observed: OutcomeObserved, deadline: float, seconds: float
) -> Awaitable[object] | RondoError:
    value = observed.model_dump_json(exclude_none=True).encode()
    try:
        async with asyncio.timeout_at(deadline):
            return await producer.send(observed.topic, observed.entity or observed.id or "", value)
    except TimeoutError:
        return OutcomeTimeoutError(seconds)
    except RondoError as error:
        return error


async def _acknowledged(sent: Awaitable[object] | RondoError, deadline: float, seconds: float) -> RondoError | None:
    if isinstance(sent, RondoError):
        return sent
    try:
        async with asyncio.timeout_at(deadline):
            await sent
    except TimeoutError:
        return OutcomeTimeoutError(seconds)
    except RondoError as error:
        return error
    return None
