"""Rondo from an asyncio program."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from rondo.client import batches
from rondo.client.http import Services
from rondo.contracts.spec_file import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rondo.client.connection import Connection


class AsyncRondo:
    """A running Rondo; `async with` it. What it can't do is a RondoError whose text says what to do."""

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.connection = connection
        self._services = Services(connection, transport)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open; Kafka is not asked before it is needed."""
        self._open.push_async_callback(self._services.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        await self._open.aclose()

    async def apply(self, spec_text: str, source: str = "rondo.yaml") -> dict[str, Any]:
        """Bring a model spec into force, and return its model, revision and digest; `source` names it in errors.

        Raises:
            SpecError: with every fault and its line; nothing was sent.
            RefusedError: the registry can't execute it; `problems` says which parts.

        """
        parse_spec(spec_text, source)
        headers = {"content-type": "application/yaml"}
        return await self._json("registry", "PUT", "/v1/specs", content=spec_text.encode(), headers=headers)

    async def publish(
        self,
        dataset: str,
        batch_id: str,
        content: bytes | Path,
        content_type: str | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> dict[str, Any]:
        """Publish a batch, and return its report. The same batch id twice is a no-op; `sent` hears bytes on their way.

        Raises:
            UnknownFormatError: no content type is given, and the file's suffix names none.
            RefusedError: the batch was rejected whole; `problems` has the reasons.

        """
        headers = {"content-type": batches.content_type_of(content, content_type)}
        if isinstance(content, Path):
            # A length instead of chunks, so that a batch that is too large is refused before it is sent.
            headers["content-length"] = str(batches.size_of(content))
        body = batches.chunks(content, sent) if isinstance(content, Path) else content
        path = f"/v1/datasets/{quote(dataset, safe='')}/batches/{quote(batch_id, safe='')}"
        return await self._json("ingestion", "POST", path, content=body, headers=headers)

    async def artifact(self, model: str, version: int) -> bytes:
        """Return the ONNX bytes of a version."""
        path = f"/v1/models/{quote(model, safe='')}/versions/{version}/artifact"
        return (await self._services.ask("registry", "GET", path)).content

    async def _json(self, service: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = (await self._services.ask(service, method, path, **request)).json()
        return answer
