"""Open Inference Protocol v2 over HTTP, on BentoML's ASGI application without its middleware.

The chain of middleware that BentoML adds (traces, access log, metrics, timeout, context) costs more than the
inference; metrics and traces of this service are its own. The chassis serves the application and guards it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rondo.chassis.failures import UnavailableError
from rondo.serving import inference_protocol, metrics
from rondo.serving.errors import RequestRefusedError
from rondo.serving.refusals import unknown_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from rondo.serving.inference import Inference
    from rondo.serving.versions import Serving, Version, Versions

MAX_BODY = 8 * 1024 * 1024
_STATUS = {"unknown_model": 404, "unknown_version": 404, "too_large": 413}


def on_bentoml(api: Starlette) -> ASGIApp:
    """Mount the API on a BentoML service, and return its application bare. Takes a second or two: the import."""
    import bentoml  # noqa: PLC0415 - its import would hold up the stream's start

    service = bentoml.service(name="rondo-serving")(type("Predictions", (), {}))
    service.mount_asgi_app(api, path="/")
    app: Starlette = service.to_asgi(is_main=False)
    app.user_middleware.clear()
    return app


def api(versions: Versions, inference: Inference, report: Callable[[], Awaitable[dict[str, str]]]) -> Starlette:
    """Return the routes of the protocol; `report` tells of what the service stands on, as for `/readyz`."""
    endpoints = _Endpoints(versions, inference, report)
    model = "/v2/models/{model}"
    version = model + "/versions/{version}"
    routes = [
        Route("/v2", endpoints.server),
        Route("/v2/health/live", endpoints.live),
        Route("/v2/health/ready", endpoints.ready),
        *(Route(path, _answering(endpoints.metadata)) for path in (model, version)),
        *(Route(f"{path}/ready", _answering(endpoints.model_ready)) for path in (model, version)),
        *(Route(f"{path}/infer", _answering(endpoints.infer), methods=["POST"]) for path in (model, version)),
    ]
    return Starlette(routes=routes)


class _Endpoints:
    def __init__(
        self, versions: Versions, inference: Inference, report: Callable[[], Awaitable[dict[str, str]]]
    ) -> None:
        self._versions = versions
        self._inference = inference
        self._report = report

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
        features = serving.versions[0].layout.features
        return JSONResponse(inference_protocol.metadata(serving.model, numbers, features))

    async def model_ready(self, request: Request) -> Response:
        """Say that the model, or a version of it, serves."""
        serving, _ = self._find(request)
        return JSONResponse({"name": serving.model, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Score the rows of one request, all by one version."""
        started = time.time()
        body = await _body(request)
        # Held until the answer is known: nothing that it needs is unloaded meanwhile.
        with self._versions.lease():
            serving, version = self._find(request)
            sent = inference_protocol.decode(body)
            request_id = sent.id or str(uuid4())
            rows = inference_protocol.rows(sent, serving.versions[0].layout.features, request_id)
            version = version or serving.version_for(rows.entities[0] or rows.ids[0])
            scores = await self._inference.score(version, rows)
        metrics.PREDICTIONS.labels(version.model, str(version.model_version), "answered").inc(len(scores))
        metrics.HTTP_SECONDS.observe(time.time() - started)
        answer = inference_protocol.answer(version.model, version.model_version, request_id, rows.ids, scores)
        return Response(answer, media_type="application/json")

    def _find(self, request: Request) -> tuple[Serving, Version | None]:
        model, number = request.path_params["model"], request.path_params.get("version")
        serving = self._versions.current.get(model)
        if serving is None:
            raise unknown_model(model, self._versions.current)
        if number is None:
            return serving, None
        for version in serving.versions:
            if str(version.model_version) == number:
                return serving, version
        served = ", ".join(str(version.model_version) for version in serving.versions)
        message = f"{model} is served by version {served}, not {number[:20]}: ask for that one, or name no version"
        raise RequestRefusedError("unknown_version", message)


def _answering(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer what was refused by the protocol's error object."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestRefusedError as error:
            metrics.PREDICTIONS.labels("", "", error.code).inc()
            return JSONResponse({"error": str(error)}, status_code=_STATUS.get(error.code, 400))
        except UnavailableError as error:
            return JSONResponse({"error": str(error)}, status_code=503, headers={"retry-after": "1"})

    return answer


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


class LateApp:
    """An ASGI application that is built while the rest of the service runs already; 503 until then."""

    def __init__(self) -> None:
        self._app: ASGIApp = JSONResponse(
            {"error": "the HTTP API is starting; try again in a second"}, status_code=503, headers={"retry-after": "1"}
        )
        self._built = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        await self._app(scope, receive, send)

    async def build(self, app: Starlette, after: asyncio.Event) -> None:
        """Build it on a thread, once `after` is set: the stream should not wait for imports that take a second."""
        await after.wait()
        self._app = await asyncio.to_thread(on_bentoml, app)
        self._built = True

    async def check(self) -> None:
        """Tell the truth for `/readyz`.

        Raises:
            UnavailableError: it is not built yet.

        """
        if not self._built:
            raise UnavailableError("the HTTP API", "still starting")
