"""What ingestion is asked for, each answer as the JSON values that its OpenAPI describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rondo.client.http import batch_files
from rondo.client.http.transport import content_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.client.http.transport import Services

_KNOWN_BEFORE = 200  # a batch that is taken in for the first time is 201
_QUARANTINED = 100


class IngestionClient:
    """Ingestion's part of the client."""

    _services: Services

    async def publish(
        self,
        dataset: str,
        batch_id: str,
        content: bytes | Path,
        content_type: str | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """Publish a batch, and return its report; `sent` hears bytes on their way.

        The same batch id twice is a no-op: the report is the first one's, and its `repeated` is true.

        Raises:
            UnknownFormatError: no content type is given, and the file's suffix names none.
            EmptyBatchError: it has no byte.
            RefusedError: the batch was rejected whole; `problems` has the reasons.

        """
        # A length instead of chunks, so that a batch that is too large is refused before it is sent.
        headers = {
            "content-type": batch_files.content_type_of(content, content_type),
            "content-length": str(batch_files.size_of(content)),
        }
        body = batch_files.chunks(content, sent) if isinstance(content, Path) else content
        path = _path(dataset, f"/batches/{quote(batch_id, safe='')}")
        answer = await self._services.ask("ingestion", "POST", path, content=body, headers=headers)
        return content_of("ingestion", answer) | {"repeated": answer.status_code == _KNOWN_BEFORE}

    async def dataset(self, dataset: str) -> dict[str, Any]:
        """Return what a dataset must look like, column by column, and its current version."""
        return await self._services.json("ingestion", "GET", _path(dataset))

    async def quarantine(
        self, dataset: str, batch_id: str | None = None, limit: int = _QUARANTINED
    ) -> list[dict[str, Any]]:
        """Return the rows quarantined last (of one batch, where it is named), each with its reason and as it came.

        Raises:
            NotFoundError: no model has this dataset.

        """
        chosen = f"&batch_id={quote(batch_id, safe='')}" if batch_id is not None else ""
        path = _path(dataset, f"/quarantine?limit={limit}{chosen}")
        found: list[dict[str, Any]] = (await self._services.json("ingestion", "GET", path))["rows"]
        if not found:
            await self.dataset(dataset)  # one that no model has keeps nothing out
        return found


def _path(dataset: str, rest: str = "") -> str:
    return f"/v1/datasets/{quote(dataset, safe='')}{rest}"
