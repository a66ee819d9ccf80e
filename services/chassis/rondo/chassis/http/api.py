"""The FastAPI application of a service: one error shape, roles, and a complete OpenAPI document.

    app = api("Rondo registry", "Versions, gates, ...", errors={RegistryError: 409, UnknownModelError: 404})

    @router.post("/models/{model}/promote")
    async def promote(model: str, body: Promote, principal: Approver) -> ModelView:
        ...

`principal` is the bearer of the token. It needs the role. `APIRouter(dependencies=[requires(Role.READER)])` is the same
for a router whose routes don't use the principal.

`errors` maps a domain error to its status. The most specific class counts. The error's `code` becomes the problem's
code, its `facts` (a mapping, if it has any) become further members, and its text becomes `detail`. Errors of FastAPI
(422, 404, 405 with `Allow`), missing roles (403), an unavailable dependency (503) and unexpected errors (500) have the
same shape. See `rondo.chassis.http.problems`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException

from rondo.chassis.http import openapi, problems
from rondo.chassis.http.authentication import require
from rondo.chassis.http.body import CompressedJsonError
from rondo.chassis.http.openapi import Problem
from rondo.chassis.http.problems import MEDIA_TYPE, problem
from rondo.chassis.security.principal import Principal
from rondo.contracts.access_tokens import Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi.dependencies.models import Dependant
    from starlette.responses import Response


_PLAIN = "identity"


class RequiresRole:
    """A dependency that returns the principal if it has one of the roles."""

    def __init__(self, *roles: Role) -> None:
        self.roles = roles

    async def __call__(self, request: Request) -> Principal:
        """Return the principal of the request.

        Raises:
            ForbiddenError: the principal has none of the roles.

        """
        return require(request, *self.roles)


def requires(*roles: Role) -> Any:
    """Return the dependency of a route or a router: the principal needs one of the roles."""
    return Depends(RequiresRole(*roles))


Reader = Annotated[Principal, requires(Role.READER)]
Publisher = Annotated[Principal, requires(Role.PUBLISHER)]
Engineer = Annotated[Principal, requires(Role.ENGINEER)]
Scorer = Annotated[Principal, requires(Role.PREDICTOR, Role.ENGINEER)]
Approver = Annotated[Principal, requires(Role.APPROVER)]
Admin = Annotated[Principal, requires(Role.ADMIN)]


def api(title: str, description: str, errors: Mapping[type[Exception], int] | None = None) -> FastAPI:
    """Return an application. Include routers in it. Its document is at /openapi.json."""
    app = _Api(
        title=title,
        version="1",
        description=description,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(_authorize)],
        # `rondo.chassis.http.telemetry` traces all services in the same way, including requests with refused
        # credentials.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        responses={status: {"model": Problem, "description": text} for status, text in openapi.ERRORS.items()},
    )
    for kind, handler in problems.HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    for kind, status in (errors or {}).items():
        app.add_exception_handler(kind, _answering(status))
    return app


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the document, with problem details, the bearer token, the roles of each route and the health paths."""
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi(), self)
        return self.openapi_schema


def _answering(status: int) -> Any:
    async def answer(_: Request, error: Exception) -> Response:
        return problem(status, getattr(error, "code", "refused"), str(error), **getattr(error, "facts", {}))

    return answer


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for these alone
    if (compressed := _compressed_json(request)) is not None:
        return await problems.on_unsupported_encoding(request, compressed)
    found = [f"{'.'.join(str(p) for p in fault['loc'][1:]) or 'body'}: {fault['msg']}" for fault in error.errors()]
    detail = f"the request can't be used: {'; '.join(found)}; /openapi.json describes the valid ones"
    return problem(422, "invalid_request", detail, problems=found)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer errors of FastAPI and the router. FastAPI answers compressed JSON with a 400, which is replaced."""
    if (compressed := _compressed_json(request)) is not None:
        return await problems.on_unsupported_encoding(request, compressed)
    return await problems.on_http_exception(request, error)


def _compressed_json(request: Request) -> CompressedJsonError | None:
    """Return the error of a body that has a Content-Encoding although its route takes JSON, or None."""
    encoding, route = request.headers.get("content-encoding", _PLAIN), request.scope.get("route")
    takes_json = isinstance(route, APIRoute) and route.body_field is not None
    return CompressedJsonError(encoding) if takes_json and encoding.strip().lower() != _PLAIN else None


async def _authorize(request: Request) -> None:
    """Check the roles of the route before its other dependencies run, so that no other error precedes a 403.

    Raises:
        ForbiddenError: the principal has none of the roles.
        CompressedJsonError: the body is JSON with a Content-Encoding.

    """
    requirements = _requirements(request.scope["route"]) or [RequiresRole(Role.ADMIN)]
    for each in requirements:
        await each(request)
    if (compressed := _compressed_json(request)) is not None:
        raise compressed


def roles_of(route: APIRoute) -> tuple[Role, ...]:
    """Return the roles that a route names, one of which is needed. If it names none, it needs `admin`."""
    return tuple(dict.fromkeys(role for each in _requirements(route) for role in each.roles))


def _requirements(route: APIRoute) -> list[RequiresRole]:
    return [each for each in _dependencies(route.dependant) if isinstance(each, RequiresRole)]


def _dependencies(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from _dependencies(each)


def _completed(document: dict[str, Any], app: FastAPI) -> dict[str, Any]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute) and context.include_in_schema:
            for method in context.methods or ():
                operation = document["paths"][context.path_format][method.lower()]
                operation[openapi.ROLES] = openapi.names(roles_of(context.original_route) or (Role.ADMIN,))
                for response in operation["responses"].values():
                    content = response.get("content", {}).get("application/json", {})
                    if content.get("schema", {}).get("$ref") == "#/components/schemas/Problem":
                        response["content"] = {MEDIA_TYPE: content}
    return openapi.complete(document)
