"""Score what came over HTTP: off the event loop, and logged before it is answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.predictions import MAX_REQUEST_BYTES
from rondo.serving.errors import RequestRefusedError
from rondo.serving.inference.log_batch import row_bytes
from rondo.serving.inference.scoring import infer
from rondo.serving.requests.request_errors import unscored

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from rondo.serving.http.v2.rows import Rows
    from rondo.serving.inference.log_writer import LogQueue
    from rondo.serving.models.loaded_version import Version


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of N rows, shape [N], and the number of the version that gave each."""

    scores: NDArray[np.float32]
    versions: list[int]


@dataclass(frozen=True, slots=True)
class Inference:
    """Answers requests; what it has answered is in the log."""

    log: LogQueue
    now: Callable[[], datetime]

    async def answer(self, rows: Rows, version_for: Callable[[str], Version]) -> Scores:
        """Return the scores of N rows, once they are logged. A row's key is its entity, else its id.

        Raises:
            RequestRefusedError: the model gives no finite score, or a row is too large for the log.
            UnavailableError: Kafka does not take the log; the prediction was not answered.

        """
        parts: dict[Version, list[int]] = {}
        for place, (id_, entity) in enumerate(zip(rows.ids, rows.entities, strict=True)):
            parts.setdefault(version_for(entity or id_), []).append(place)
        scores, versions = np.empty(len(rows.ids), dtype=np.float32), [0] * len(rows.ids)
        for version, places in parts.items():
            scores[places] = await self._score(version, rows if len(parts) == 1 else rows.at(places))
            for place in places:
                versions[place] = version.model_version
        return Scores(scores, versions)

    async def _score(self, version: Version, rows: Rows) -> NDArray[np.float32]:
        scores = await asyncio.to_thread(infer, version, rows.columns, len(rows.ids))
        if scores is None or not np.isfinite(scores).all():
            raise unscored()
        batch = version.log.batch(rows.ids, rows.entities, rows.event_times, rows.columns, scores, self.now())
        _check_size(batch)
        await self.log.write(version, batch)
        return scores


def _check_size(batch: pa.RecordBatch) -> None:
    """Hold each row to what a message of Kafka may have: one that the log does not take would take others with it."""
    if batch.nbytes <= MAX_REQUEST_BYTES:
        return
    sizes = row_bytes(batch)
    if (largest := int(sizes.argmax())) >= 0 and sizes[largest] > MAX_REQUEST_BYTES:
        message = f"row {largest} has {sizes[largest]:,} bytes, more than the {MAX_REQUEST_BYTES:,} that are allowed"
        raise RequestRefusedError("too_large", f"{message}: send shorter texts")
