"""The registry's HTTP API. Results are the JSON values that its OpenAPI document describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from rondo.client import event_times
from rondo.contracts.spec.file import parse_any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from rondo.client.http.transport import HttpTransport


class RegistryClient:
    """The methods of a client that call the registry."""

    _http: HttpTransport

    async def apply(self, spec_text: str, source: str = "rondo.yaml") -> dict[str, Any]:
        """Apply the spec of a model or a dataset, and return its revision and digest. `source` is the file in errors.

        The result has `model`. For `kind: dataset` it has `dataset` and `changes`, the changes since the previous spec.

        Raises:
            SpecError: the spec has faults. The error has each fault with its line, and nothing was sent.
            RefusedError: the registry does not support the spec. `problems` names the parts.

        """
        parse_any(spec_text, source)
        headers = {"content-type": "application/yaml"}
        return await self._http.json("registry", "PUT", "/v1/specs", content=spec_text.encode(), headers=headers)

    async def declared_datasets(self) -> list[dict[str, Any]]:
        """Return the specs of the declared datasets by name, each with the `models` that use it."""
        found: list[dict[str, Any]] = (await self._http.json("registry", "GET", "/v1/datasets"))["datasets"]
        return found

    async def remove_dataset(self, dataset: str, reason: str = "") -> dict[str, Any]:
        """Remove the declaration of a dataset, and return its name and revision. Its rows stay.

        Raises:
            NotFoundError: the dataset is not declared.
            RefusedError: a model uses the dataset.

        """
        path = f"/v1/datasets/{quote(dataset, safe='')}?{urlencode({'reason': reason})}"
        return await self._http.json("registry", "DELETE", path)

    async def models(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._http.json("registry", "GET", "/v1/models"))["models"]
        return found

    async def model(self, model: str) -> dict[str, Any]:
        return await self._of(model)

    async def spec(self, model: str) -> dict[str, Any]:
        """Return the spec in force, including all defaults."""
        return await self._of(model, "/spec")

    async def versions(self, model: str) -> list[dict[str, Any]]:
        """Return the versions of a model, the oldest first, with the results of their gates."""
        return [version async for page in self._pages(model, "/versions") for version in page["versions"]]

    async def version(self, model: str, version: int) -> dict[str, Any]:
        return await self._of(model, f"/versions/{version}")

    async def lineage(self, model: str, version: int) -> dict[str, Any]:
        """Return the trigger, data, spec, code, gates and deployments of a version."""
        return await self._of(model, f"/versions/{version}/lineage")

    async def history(self, model: str) -> list[dict[str, Any]]:
        """Return the periods in which versions served, the oldest first."""
        found: list[dict[str, Any]] = (await self._of(model, "/history"))["periods"]
        return found

    async def audit(self, model: str) -> dict[str, Any]:
        """Return all audit entries of a model, and whether their hash chain is intact."""
        pages = [page async for page in self._pages(model, "/audit")]
        return pages[-1] | {"entries": [entry for page in pages for entry in page["entries"]]}

    async def runs(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the latest training runs and skipped trainings, the newest first.

        Raises:
            NotFoundError: the model does not exist. The message lists the models.

        """
        path = "/v1/runs" + (f"?model={quote(model, safe='')}" if model is not None else "")
        found: list[dict[str, Any]] = (await self._http.json("registry", "GET", path))["runs"]
        if model is not None and not found:
            await self.model(model)  # raises an error if the model does not exist
        return found

    async def artifact(self, model: str, version: int) -> bytes:
        """Return the ONNX bytes of a version."""
        return (await self._http.request("registry", "GET", _path(model, f"/versions/{version}/artifact"))).content

    async def promote(self, model: str, version: int, reason: str = "", *, override: bool = False) -> dict[str, Any]:
        """Promote a version, and return the model. `override` allows a version that did not pass its gates."""
        return await self._do(model, "promote", {"version": version, "reason": reason, "override": override})

    async def rollback(self, model: str, version: int | None = None, reason: str = "") -> dict[str, Any]:
        """Go back to an earlier version, by default the previous one, and return the model."""
        return await self._do(model, "rollback", {"version": version, "reason": reason})

    async def rollout(self, model: str) -> dict[str, Any]:
        """Return the latest rollout of a model, with its evidence and the decisions so far.

        Raises:
            NotFoundError: the model has had no rollout.

        """
        return await self._of(model, "/rollout")

    async def rollouts(self) -> list[dict[str, Any]]:
        """Return the active rollouts by model. A rollout whose `state` is `asking` needs a decision."""
        found: list[dict[str, Any]] = (await self._http.json("registry", "GET", "/v1/rollouts"))["rollouts"]
        return found

    async def decide_rollout(self, model: str, action: str, reason: str = "") -> dict[str, Any]:
        """Apply `pause`, `resume`, `promote` or `abort` to the active rollout, and return the rollout."""
        return await self._do(model, f"rollout/{action}", {"reason": reason})

    async def train(self, model: str, reason: str = "", at: datetime | None = None) -> dict[str, Any]:
        """Request a training with the data known at the event time `at`. TrainingStarted or TrainingSkipped follows.

        Raises:
            RefusedError: `at` has no offset.

        """
        known_at = event_times.in_utc(at).isoformat() if at is not None else None
        return await self._do(model, "train", {"reason": reason, "at": known_at})

    async def signature(self, model: str, version: int) -> dict[str, Any]:
        """Return the digest of a version, its `features`, and its columns `entity` and `event_time`."""
        return await self._of(model, f"/versions/{version}/signature")

    async def score(
        self, model: str, version: int, dataset: str, data_version: int, reason: str = ""
    ) -> dict[str, Any]:
        """Request that a version scores a version of a dataset, and return the `job` and the time of the request.

        The same request again is the same job, which continues if it failed. `scoring_job` returns its progress.
        """
        body = {"dataset": dataset, "data_version": data_version, "reason": reason}
        return await self._http.json("registry", "POST", _path(model, f"/versions/{version}/scoring-jobs"), json=body)

    async def remove(self, model: str, reason: str = "") -> dict[str, Any]:
        """Remove a model, and return its name and last deployment. Its events, versions and audit log stay."""
        return await self._http.json("registry", "DELETE", _path(model, f"?{urlencode({'reason': reason})}"))

    async def create_token(self, name: str, roles: Sequence[str], expires_at: datetime | None = None) -> dict[str, Any]:
        """Return `token`, which is not stored and can't be read again, and its `token_id`, `name` and `roles`.

        Raises:
            RefusedError: a role is unknown, or `expires_at` has no offset.

        """
        expiry = event_times.in_utc(expires_at).isoformat() if expires_at is not None else None
        body = {"name": name, "roles": list(roles), "expires_at": expiry}
        return await self._http.json("registry", "POST", "/v1/tokens", json=body)

    async def tokens(self) -> list[dict[str, Any]]:
        """Return all tokens without their secrets."""
        found: list[dict[str, Any]] = (await self._http.json("registry", "GET", "/v1/tokens"))["tokens"]
        return found

    async def rotate_token(self, token_id: str) -> dict[str, Any]:
        """Replace the secret of a token, and return the new one as `create_token` does."""
        return await self._http.json("registry", "POST", f"/v1/tokens/{quote(token_id, safe='')}/rotate")

    async def revoke_token(self, token_id: str) -> dict[str, Any]:
        return await self._http.json("registry", "DELETE", f"/v1/tokens/{quote(token_id, safe='')}")

    async def _of(self, model: str, rest: str = "") -> dict[str, Any]:
        return await self._http.json("registry", "GET", _path(model, rest))

    async def _pages(self, model: str, rest: str) -> AsyncIterator[dict[str, Any]]:
        page = await self._of(model, rest)
        yield page
        while page["next"] is not None:
            page = await self._of(model, f"{rest}?after={page['next']}")
            yield page

    async def _do(self, model: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._http.json("registry", "POST", _path(model, f"/{command}"), json=body)


def _path(model: str, rest: str) -> str:
    return f"/v1/models/{quote(model, safe='')}{rest}"
