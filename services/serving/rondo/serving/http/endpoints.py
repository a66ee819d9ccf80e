"""The routes of the Open Inference Protocol v2: convert bodies to rows, and answers to bodies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rondo.chassis.http.authentication import require
from rondo.chassis.http.problems import problem
from rondo.contracts.access_tokens import Role
from rondo.serving.bulk.direct import DirectAnswers
from rondo.serving.explanations.options import options_of, unknown_parameters
from rondo.serving.explanations.service import ExplanationService
from rondo.serving.http import openapi
from rondo.serving.http.body import HEADER_LENGTH, header_length, read_body
from rondo.serving.http.direct_routing import DirectRouting
from rondo.serving.http.errors import HANDLERS
from rondo.serving.http.openapi import Operation
from rondo.serving.open_inference import explanation, inference_call, protocol, repository, response
from rondo.serving.open_inference.inference_call import InferenceCall
from rondo.serving.open_inference.protocol import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    Endpoint = Callable[[Request], Awaitable[Response]]

    from rondo.serving.explanations.by_trees import TreeFinder
    from rondo.serving.inference.service import InferenceService
    from rondo.serving.models.serving_table import ServedModels


_MODEL = "/v2/models/{model}"
_REPOSITORY, _LOADED = "/v2/repository", "/v2/repository/models/{model}"
# The role predictor includes the metadata that a client needs for a request.
_LOOK, _PREDICT, _CHANGE = (Role.READER, Role.PREDICTOR), (Role.PREDICTOR,), (Role.ENGINEER,)
_SCORE = (Role.PREDICTOR, Role.ENGINEER)


class DeferredApp:
    """Answers 503 until `app` is set. The server listens while the first deployments are still loaded."""

    def __init__(self) -> None:
        detail = "the HTTP API is starting; try again in a second"
        self.app: ASGIApp = problem(503, "unavailable", detail, headers={"retry-after": "1"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def api(
    models: ServedModels,
    service: InferenceService,
    report: Callable[[], Awaitable[dict[str, str]]],
    bulk: DirectAnswers | None = None,
    trees: TreeFinder | None = None,
) -> ASGIApp:
    """Return the application. `report` is the state of the service's dependencies, as for `/readyz`.

    Without `bulk` it refuses bulk requests. Without `trees` it explains no version by its trees.
    """
    bulk = bulk or DirectAnswers(None, lambda: service.now())  # noqa: PLW0108 - as below
    explanations = ExplanationService(lambda: service.now(), trees)  # noqa: PLW0108 - tests of routes have no service
    endpoints = _Endpoints(models, service, report, explanations, bulk)
    operations: dict[Operation, Endpoint] = {
        _get("/v2", "The server", openapi.SERVER): endpoints.server,
        _get("/v2/health/live", "Whether the process answers", openapi.LIVE): endpoints.live,
        _get("/v2/health/ready", "Whether every dependency answers", openapi.READY): endpoints.ready,
    }
    for path in (_MODEL, f"{_MODEL}/versions/{{version}}"):
        operations |= {
            _get(path, "The inputs and outputs of a model", openapi.MODEL): endpoints.metadata,
            _get(f"{path}/ready", "Whether a model is served", openapi.MODEL_READY): endpoints.model_ready,
            _post(f"{path}/infer", "Predict", openapi.INFERENCE, body=protocol.InferenceRequest): endpoints.infer,
            _post(
                f"{path}/explain", "Explain predictions", openapi.EXPLANATION, body=protocol.InferenceRequest
            ): endpoints.explain,
        }
    operations |= {
        _post(f"{_REPOSITORY}/index", "The versions that serve", openapi.INDEX, _LOOK): endpoints.index,
        _post(f"{_LOADED}/load", "Confirm that a model is loaded", openapi.LOADED, _LOOK): endpoints.load,
        _post(f"{_LOADED}/unload", "Refused: the registry decides", openapi.LOADED, _CHANGE): endpoints.unload,
    }
    operations[Operation("/v2/scores", "POST", _SCORE, "Score a record batch", {}, arrow=True)] = endpoints.scores
    described = JSONResponse(openapi.document(operations))

    async def description(_: Request) -> Response:
        return described

    routes = [
        Route(each.path, _for(*each.roles, call=endpoint), methods=[each.method])
        for each, endpoint in operations.items()
    ]
    app = Starlette(routes=[Route("/openapi.json", description), *routes], exception_handlers=HANDLERS)
    return ServerErrorMiddleware(DirectRouting(routes, app), HANDLERS[Exception])


def _get(path: str, summary: str, answer: dict[str, Any]) -> Operation:
    return Operation(path, "GET", _LOOK, summary, answer)


def _post(
    path: str, summary: str, answer: dict[str, Any], roles: tuple[Role, ...] = _PREDICT, body: type | None = None
) -> Operation:
    return Operation(path, "POST", roles, summary, answer, body)


def _for(*roles: Role, call: Endpoint) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        require(request, *roles)
        return await call(request)

    return endpoint


@dataclass
class _Endpoints:
    _models: ServedModels
    _service: InferenceService
    _report: Callable[[], Awaitable[dict[str, str]]]
    _explanations: ExplanationService
    _bulk: DirectAnswers

    async def server(self, _: Request) -> Response:
        return JSONResponse({"name": "rondo-serving", "version": "2", "extensions": EXTENSIONS})

    async def live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, _: Request) -> Response:
        """Return whether all dependencies answer. `/readyz` names those that do not."""
        ready = all(answer == "ok" for answer in (await self._report()).values())
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def metadata(self, request: Request) -> Response:
        served, chosen = inference_call.find(self._models.table, *_named(request))
        numbers = [chosen.model_version] if chosen else [v.model_version for v in served.answering]
        return JSONResponse(response.metadata(served, numbers))

    async def model_ready(self, request: Request) -> Response:
        served, _ = inference_call.find(self._models.table, *_named(request))
        return JSONResponse({"name": served.model, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Score the rows of one request. The key of each row decides its version, as over Kafka."""
        body = await read_body(request)
        header = header_length(request, body)
        # The table is held until the answer is known, so that no version is unloaded before.
        with self._models.lease() as table:
            call = InferenceCall.decode(table, *_named(request), body, header)
            answered = await self._service.infer_logged(call.served, call.rows, call.pinned, len(body), call.timeout)
        trace.get_current_span().set_attributes({"model": call.served.model, "rows": len(call.rows)})
        if not call.binary:
            return Response(call.encode(answered), media_type="application/json")
        text, raw = call.respond(answered).as_binary(call.binary)
        headers = {HEADER_LENGTH: str(len(text))}
        return Response(text + raw, headers=headers, media_type="application/octet-stream")

    async def explain(self, request: Request) -> Response:
        """Return the contribution of each feature to the prediction of each row.

        This is not a prediction, and is not logged.
        """
        body = await read_body(request)
        sent = protocol.decode(body, header_length(request, body))
        with self._models.lease() as table:
            call = InferenceCall.of(table, *_named(request), sent, explanation.names)
            options = options_of(sent.parameters)
            unknown = unknown_parameters(sent.parameters, call.served.schema.unknown)
            rows = await self._explanations.explain(call.served, call.rows, call.pinned, options)
        call = replace(call, unknown=(*call.unknown, *unknown))
        return Response(explanation.encode(call, rows), media_type="application/json")

    async def scores(self, request: Request) -> Response:
        """Answer a message of `scores.requested` with one of `scores.made`. Its rows are not logged."""
        return Response(await self._bulk.answer(await read_body(request)), media_type=openapi.ARROW)

    async def index(self, request: Request) -> Response:
        """Return the versions that answer.

        Unless the request asks for `ready` ones, also return models that are not served.
        """
        ready = repository.decode_index(await read_body(request)).ready
        return JSONResponse([asdict(each) for each in repository.index(self._models.table, ready_only=ready)])

    async def load(self, request: Request) -> Response:
        """Confirm that a model is loaded. The body, which may name files in other servers, is not read."""
        repository.load(self._models.table, request.path_params["model"])
        return JSONResponse({"name": request.path_params["model"]})

    async def unload(self, request: Request) -> Response:
        repository.unload(self._models.table, request.path_params["model"])
        return JSONResponse({})


def _named(request: Request) -> tuple[str, str | None]:
    return request.path_params["model"], request.path_params.get("version")
