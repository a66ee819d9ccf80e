"""Who waits for which answer: requests by their id, each with one caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rondo.client import messages
from rondo.client.errors import IdInUseError, UnreadableAnswerError
from rondo.contracts.topics import PREDICTIONS_FAILED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.client.errors import RondoError
    from rondo.client.messages import Prediction


class Waiting:
    """Matches answers and dead letters to those who wait for them; what nobody waits for is passed over."""

    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[Prediction]] = {}
        self._somebody = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._futures

    async def for_somebody(self) -> None:
        """Return when somebody waits."""
        await self._somebody.wait()

    def expect(self, request_id: str) -> asyncio.Future[Prediction]:
        """Return the future of an answer.

        Raises:
            IdInUseError: somebody waits for this id already.

        """
        if request_id in self._futures:
            raise IdInUseError(request_id)
        future: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._futures[request_id] = future
        self._somebody.set()
        return future

    def forget(self, request_id: str) -> None:
        """Wait no longer for an answer."""
        self._futures.pop(request_id, None)
        if not self._futures:
            self._somebody.clear()

    def take(self, topic: str, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> None:
        """Give an answer, or the reason in a dead letter's headers, to whoever waits for it."""
        request_id = messages.id_of(value)
        future = self._futures.get(request_id) if request_id is not None else None
        if future is None or request_id is None or future.done():
            return
        if topic == PREDICTIONS_FAILED:
            future.set_exception(messages.decode_refusal(request_id, headers))
            return
        try:
            future.set_result(messages.decode_answer(value or b""))
        except (ValidationError, KeyError) as error:
            future.set_exception(UnreadableAnswerError(request_id, type(error).__name__))

    def fail(self, error: RondoError) -> None:
        """Tell everybody who waits that nothing can be heard."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)

    def cancel(self) -> None:
        """Let nobody wait any longer."""
        for future in self._futures.values():
            future.cancel()
