"""The common part of all OpenAPI documents: problem details, the bearer token, roles and the health paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.contracts.access_tokens import Role

ROLES: Final = "x-required-roles"
ERRORS: Final = {
    401: "There is no valid token in the header Authorization.",
    403: "The token has none of the roles that this needs.",
    404: "There is nothing of this name.",
    405: "The path does not take this method; `Allow` lists what it takes.",
    422: "The request can't be used; `problems` lists why.",
    500: "The service failed; its log has the reason.",
    503: "A dependency is unavailable; nothing was changed. Send the request again after `Retry-After` seconds.",
}
_HEALTH: Final = {
    "/livez": ("The process answers", {"200": "It does."}),
    "/readyz": ("Every dependency answers", {"200": "All do.", "503": "`checks` names those that do not, and why."}),
    "/metrics": ("Prometheus metrics", {"200": "In the text format."}),
}


class Problem(BaseModel):
    """Problem details, RFC 9457. Some codes have further members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:rondo:problem:not_found"])
    title: str
    status: int
    detail: str
    code: str


def names(roles: Iterable[Role]) -> list[str]:
    """Return the value of `x-required-roles`, the roles of which one is needed."""
    return [str(role) for role in roles]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the bearer token, which every path needs, and the health paths, which need none."""
    document.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path, (summary, answers) in _HEALTH.items():
        responses = {status: {"description": text} for status, text in answers.items()}
        document["paths"][path] = {"get": {"summary": summary, "security": [], "responses": responses}}
    return document
