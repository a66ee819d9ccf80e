"""Open Inference Protocol v2 over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rondo.chassis.telemetry import span
from rondo.serving import metrics
from rondo.serving.errors import RequestRefusedError
from rondo.serving.http.errors import answering, on_failure, on_http_exception
from rondo.serving.http.v2 import protocol, response
from rondo.serving.http.v2 import rows as inference_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from rondo.serving.inference.service import Inference, Scores
    from rondo.serving.models.loaded_version import Serving, Version
    from rondo.serving.models.table import Versions

MAX_BODY = 8 * 1024 * 1024


def api(versions: Versions, inference: Inference, report: Callable[[], Awaitable[dict[str, str]]]) -> Starlette:
    """Return the routes of the protocol; `report` tells of what the service stands on, as for `/readyz`."""
    endpoints = _Endpoints(versions, inference, report)
    model = "/v2/models/{model}"
    version = model + "/versions/{version}"
    routes = [
        Route("/v2", endpoints.server),
        Route("/v2/health/live", endpoints.live),
        Route("/v2/health/ready", endpoints.ready),
        *(Route(path, answering(endpoints.metadata)) for path in (model, version)),
        *(Route(f"{path}/ready", answering(endpoints.model_ready)) for path in (model, version)),
        *(Route(f"{path}/infer", answering(endpoints.infer), methods=["POST"]) for path in (model, version)),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: on_http_exception, Exception: on_failure})


@dataclass
class _Endpoints:
    _versions: Versions
    _inference: Inference
    _report: Callable[[], Awaitable[dict[str, str]]]

    async def server(self, _: Request) -> Response:
        """Say who this is."""
        return JSONResponse({"name": "rondo-serving", "version": "2", "extensions": []})

    async def live(self, _: Request) -> Response:
        """Say that the server answers."""
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Say whether all that it stands on answers; `/readyz` says what does not."""
        ready = all(answer == "ok" for answer in (await self._report()).values())
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def metadata(self, request: Request) -> Response:
        """Say which versions serve and what they take."""
        serving, chosen = self._find(request)
        numbers = [chosen.model_version] if chosen else [v.model_version for v in serving.versions]
        return JSONResponse(response.metadata(serving.model, numbers, serving.layout.features))

    async def model_ready(self, request: Request) -> Response:
        """Say that the model, or a version of it, serves."""
        serving, _ = self._find(request)
        return JSONResponse({"name": serving.model, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Score the rows of one request, each by the version that its key meets, as over Kafka."""
        started = time.perf_counter()
        body = await _body(request)
        with span("infer", request.headers.get("traceparent"), SpanKind.SERVER) as current:
            # Held until the answer is known: nothing that it needs is unloaded meanwhile.
            with self._versions.lease():
                serving, version = self._find(request)
                sent = protocol.decode(body)
                request_id = sent.id or str(uuid4())
                rows = inference_rows.rows(sent, serving.layout, request_id, self._inference.now())
                scored = await self._inference.answer(rows, lambda key: version or serving.version_for(key))
            current.set_attributes({"model": serving.model, "rows": len(rows.ids)})
        _count(serving, scored, time.perf_counter() - started)
        answer = response.answer(serving.model, request_id, rows.ids, scored, sent.wanted())
        return Response(answer, media_type="application/json")

    def _find(self, request: Request) -> tuple[Serving, Version | None]:
        model, number = request.path_params["model"], request.path_params.get("version")
        serving = self._versions.find(model)
        if number is None:
            return serving, None
        for version in serving.versions:
            if str(version.model_version) == number:
                return serving, version
        served = ", ".join(str(version.model_version) for version in serving.versions)
        message = f"{model} is served by version {served}, not {number[:20]}: ask for that one, or name no version"
        raise RequestRefusedError("unknown_version", message)


def _count(serving: Serving, scored: Scores, seconds: float) -> None:
    for number in set(scored.versions):
        metrics.PREDICTIONS.labels(serving.model, str(number), "answered").inc(scored.versions.count(number))
    metrics.HTTP_SECONDS.observe(seconds)


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            message = f"the body is larger than {MAX_BODY:,} bytes: send fewer rows at once"
            raise RequestRefusedError("too_large", message)
        parts.append(part)
    return b"".join(parts)
