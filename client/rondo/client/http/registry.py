"""What the registry is asked for, each answer as the JSON values that its OpenAPI describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rondo.client import event_times
from rondo.contracts.spec.file import parse_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from rondo.client.http.transport import Services


class RegistryClient:
    """The registry's part of the client."""

    _services: Services

    async def apply(self, spec_text: str, source: str = "rondo.yaml") -> dict[str, Any]:
        """Bring a model spec into force, and return its model, revision and digest; `source` names it in errors.

        Raises:
            SpecError: with every fault and its line; nothing was sent.
            RefusedError: the registry can't execute it; `problems` says which parts.

        """
        parse_spec(spec_text, source)
        headers = {"content-type": "application/yaml"}
        return await self._services.json("registry", "PUT", "/v1/specs", content=spec_text.encode(), headers=headers)

    async def models(self) -> list[dict[str, Any]]:
        """Return all models: spec, champion, what should serve."""
        found: list[dict[str, Any]] = (await self._services.json("registry", "GET", "/v1/models"))["models"]
        return found

    async def model(self, model: str) -> dict[str, Any]:
        """Return a model."""
        return await self._of(model)

    async def spec(self, model: str) -> dict[str, Any]:
        """Return the spec in force, every default written out."""
        return await self._of(model, "/spec")

    async def versions(self, model: str) -> list[dict[str, Any]]:
        """Return the versions of a model, oldest first, with what their gates saw."""
        return [version async for page in self._pages(model, "/versions") for version in page["versions"]]

    async def version(self, model: str, version: int) -> dict[str, Any]:
        """Return a version with all its evidence."""
        return await self._of(model, f"/versions/{version}")

    async def lineage(self, model: str, version: int) -> dict[str, Any]:
        """Return where a version comes from and went to."""
        return await self._of(model, f"/versions/{version}/lineage")

    async def history(self, model: str) -> list[dict[str, Any]]:
        """Return which version was in production when, oldest first."""
        found: list[dict[str, Any]] = (await self._of(model, "/history"))["periods"]
        return found

    async def audit(self, model: str) -> dict[str, Any]:
        """Return every decision about a model, and whether the chain of their hashes is whole."""
        pages = [page async for page in self._pages(model, "/audit")]
        return pages[-1] | {"entries": [entry for page in pages for entry in page["entries"]]}

    async def runs(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the latest training runs, newest first.

        Raises:
            NotFoundError: there is no such model; the message has those that there are.

        """
        path = "/v1/runs" + (f"?model={quote(model, safe='')}" if model is not None else "")
        found: list[dict[str, Any]] = (await self._services.json("registry", "GET", path))["runs"]
        if model is not None and not found:
            await self.model(model)  # a model that nobody has declared has no runs either
        return found

    async def artifact(self, model: str, version: int) -> bytes:
        """Return the ONNX bytes of a version."""
        return (await self._services.ask("registry", "GET", _path(model, f"/versions/{version}/artifact"))).content

    async def promote(self, model: str, version: int, reason: str = "", *, override: bool = False) -> dict[str, Any]:
        """Make a version the champion, and return the model; `override` takes one that did not pass its gates."""
        return await self._do(model, "promote", {"version": version, "reason": reason, "override": override})

    async def rollback(self, model: str, version: int | None = None, reason: str = "") -> dict[str, Any]:
        """Go back to an earlier version (by default the previous one), and return the model."""
        return await self._do(model, "rollback", {"version": version, "reason": reason})

    async def train(self, model: str, reason: str = "", at: datetime | None = None) -> dict[str, Any]:
        """Ask for a training with what was known `at` an event time; TrainingStarted or TrainingSkipped follows.

        Raises:
            RefusedError: `at` has no offset.

        """
        known_at = event_times.in_utc(at).isoformat() if at is not None else None
        return await self._do(model, "train", {"reason": reason, "at": known_at})

    async def _of(self, model: str, rest: str = "") -> dict[str, Any]:
        return await self._services.json("registry", "GET", _path(model, rest))

    async def _pages(self, model: str, rest: str) -> AsyncIterator[dict[str, Any]]:
        page = await self._of(model, rest)
        yield page
        while page["next"] is not None:
            page = await self._of(model, f"{rest}?after={page['next']}")
            yield page

    async def _do(self, model: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._services.json("registry", "POST", _path(model, f"/{command}"), json=body)


def _path(model: str, rest: str) -> str:
    return f"/v1/models/{quote(model, safe='')}{rest}"
