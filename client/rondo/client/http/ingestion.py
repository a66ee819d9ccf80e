"""Ingestion's HTTP API. Results are the JSON values that its OpenAPI document describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rondo.client.errors import RefusedError
from rondo.client.http import batch_files
from rondo.client.http.transport import content_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.client.http.transport import HttpTransport

_REPEATED = 200  # a batch with a new id gets 201
_QUARANTINE_LIMIT = 100


class IngestionClient:
    """The methods of a client that call ingestion."""

    _http: HttpTransport

    async def publish(
        self,
        dataset: str,
        batch_id: str,
        content: bytes | Path,
        content_type: str | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """Publish a batch, and return its report. `sent` is called with the size of each chunk that was sent.

        A second batch with the same id has no effect. Its report is that of the first batch, with `repeated` true.

        Raises:
            UnknownFormatError: no content type is given, and the file's suffix is unknown.
            EmptyBatchError: the file has 0 bytes.
            RefusedError: the whole batch was rejected. `problems` has the reasons.

        """
        # The content length lets ingestion refuse a batch that is too large before it is sent.
        headers = {
            "content-type": batch_files.content_type_of(content, content_type),
            "content-length": str(batch_files.size_of(content)),
        }
        body = batch_files.chunks(content, sent) if isinstance(content, Path) else content
        path = _path(dataset, f"/batches/{quote(batch_id, safe='')}")
        answer = await self._http.request("ingestion", "POST", path, content=body, headers=headers)
        return content_of("ingestion", answer) | {"repeated": answer.status_code == _REPEATED}

    async def dataset(self, dataset: str) -> dict[str, Any]:
        """Return the columns that the data contract requires, and the current version."""
        return await self._http.json("ingestion", "GET", _path(dataset))

    async def data_version(self, dataset: str) -> int:
        """Return the newest version of a dataset.

        Raises:
            RefusedError: the dataset has no rows yet.

        """
        found = (await self._http.json("ingestion", "GET", _path(dataset, "/data-version")))["data_version"]
        if found is None:
            raise RefusedError(f"{dataset} has no rows yet: publish a batch (`rondo publish`)", code="data_missing")
        return int(found)

    async def scoring_job(self, job: str) -> dict[str, Any]:
        """Return the progress of a scoring job: `state`, `rows`, `scored`, `refused` and the table `scores`.

        Raises:
            NotFoundError: ingestion does not know the job. A new request needs a moment to reach ingestion.

        """
        return await self._http.json("ingestion", "GET", f"/v1/scoring-jobs/{quote(job, safe='')}")

    async def scoring_jobs(self) -> list[dict[str, Any]]:
        """Return the newest scoring jobs, the latest request first."""
        found: list[dict[str, Any]] = (await self._http.json("ingestion", "GET", "/v1/scoring-jobs"))["jobs"]
        return found

    async def quarantine(
        self, dataset: str, batch_id: str | None = None, limit: int = _QUARANTINE_LIMIT
    ) -> list[dict[str, Any]]:
        """Return the rows that were quarantined last, each with reason and original content.

        `batch_id` selects a batch.

        Raises:
            NotFoundError: no model uses the dataset.

        """
        chosen = f"&batch_id={quote(batch_id, safe='')}" if batch_id is not None else ""
        path = _path(dataset, f"/quarantine?limit={limit}{chosen}")
        found: list[dict[str, Any]] = (await self._http.json("ingestion", "GET", path))["rows"]
        if not found:
            await self.dataset(dataset)  # raises an error if no model uses the dataset
        return found


def _path(dataset: str, rest: str = "") -> str:
    return f"/v1/datasets/{quote(dataset, safe='')}{rest}"
