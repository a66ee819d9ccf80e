"""The client's ways over Kafka, each opened when it is needed for the first time: HTTP alone needs none of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from rondo.client.kafka.connection import Sender
from rondo.client.kafka.predictions import Predictions
from rondo.client.kafka.replies import Replies


class Channels:
    """A sender, and predictions that ask by it; close them with `aclose`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._sender: Sender | None = None
        self._predictions: Predictions | None = None

    async def sender(self) -> Sender:
        """Return the sender.

        Raises:
            UnreachableError: Kafka does not answer.

        """
        async with self._opening:
            return await self._opened_sender()

    async def predictions(self) -> Predictions:
        """Return what asks and hears the answers.

        Raises:
            UnreachableError: Kafka does not answer.
            NotFoundError: the topics do not exist yet.

        """
        async with self._opening:
            if self._predictions is None:
                sender, replies = await self._opened_sender(), Replies(self._bootstrap)
                self._open.push_async_callback(replies.stop)
                await replies.start()
                self._predictions = Predictions(sender, replies)
            return self._predictions

    async def aclose(self) -> None:
        """Close whatever was opened, the last first."""
        await self._open.aclose()

    async def _opened_sender(self) -> Sender:
        if self._sender is None:
            sender = Sender(self._bootstrap)
            await sender.start()
            self._open.push_async_callback(sender.stop)
            self._sender = sender
        return self._sender
