"""Bulk requests over HTTP. Each request is a message, and its response is the answer. A separate thread scores them.

They are for files that only the client has. The formats are those of `scores.requested` and `scores.made`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.contracts.events import scores
from rondo.serving.bulk.answers import answer
from rondo.serving.bulk.priority import lower_priority
from rondo.serving.errors import OverloadedError, RequestRefusedError, VersionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rondo.serving.bulk.versions import BulkVersions

# The number of requests that may wait. Each holds its message in memory, at most 8 MiB.
_WAITING, _RETRY_SECONDS = 8, 2


class DirectAnswers:
    """Answers messages one after another. If `versions` is None, this replica refuses all messages."""

    def __init__(self, versions: BulkVersions | None, now: Callable[[], datetime]) -> None:
        self._versions, self._now = versions, now
        self._thread = ThreadPoolExecutor(1, "bulk-http", initializer=lower_priority)
        self._waiting = 0

    async def answer(self, value: bytes) -> bytes:
        """Return the answer to a message.

        Raises:
            RequestRefusedError: the bytes are not a message of `scores.requested`, or the version can't be loaded.
            OverloadedError: too many messages are waiting.
            UnavailableError: the artifact store is unavailable, or this replica refuses bulk requests.

        """
        if self._versions is None:
            raise UnavailableError("bulk scoring", "RONDO_BULK_THREADS is 0 here: ask another replica")
        if self._waiting >= _WAITING:
            raise OverloadedError(f"{self._waiting} bulk requests wait", _RETRY_SECONDS)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, self._versions, value)
        except scores.InvalidScoreRequestError as error:
            raise RequestRefusedError(error.code, str(error)) from None
        except VersionRefusedError as error:
            raise RequestRefusedError(error.code, str(error)) from None
        finally:
            self._waiting -= 1

    def _answer(self, versions: BulkVersions, value: bytes) -> bytes:
        batch = scores.decode(value)
        request = scores.ScoreRequest.of(batch.schema)
        return scores.encode(answer(versions.of(request), batch, request, self._now()))
