"""The OpenAPI document of the HTTP API, generated from its operations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from rondo.chassis.http import openapi
from rondo.chassis.http.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rondo.contracts.access_tokens import Role

_REF = "#/components/schemas/{name}"
_PROBLEM: Any = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}}
# The protocol's status for an invalid request is 400.
_ERRORS = {status: text for status, text in openapi.ERRORS.items() if status != HTTPStatus.UNPROCESSABLE_ENTITY}
_REFUSED = {
    400: "The request can't be used; `detail` has an example of what to send.",
    413: "The body is larger than 8 MiB.",
    415: "The content encoding is not supported; `Accept-Encoding` lists those that are.",
}
ARROW = "application/vnd.apache.arrow.stream"
_STREAM = {ARROW: {"schema": {"type": "string", "format": "binary"}}}
_TEXT, _TEXTS, _BOOLEAN = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "boolean"}


@dataclass(frozen=True, eq=False)
class Operation:
    """One method of one path. It needs one of `roles`. `answer` is the JSON schema of a successful response.

    With `arrow` both bodies are Arrow IPC streams.
    """

    path: str
    method: str
    roles: tuple[Role, ...]
    summary: str
    answer: dict[str, Any]
    body: type | None = None
    arrow: bool = False


def of(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an object with these properties, all of which are required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


_DESCRIBED = of(name=_TEXT, datatype=_TEXT, shape={"type": "array", "items": {"type": "integer"}})
_LABELS = {"labels": {"type": "array", "description": "The labels of the second dimension, as `label` has them"}}
_PARAMETERS = {"type": "object", "properties": _LABELS, "description": "Where there is a probability for each label"}
_MEANING = {
    "type": "object",
    "properties": {
        **_LABELS,
        "values": {"type": "array", "description": "The labels that an output of labels may have"},
        "label": {"description": "The label that a number is the probability of"},
        "coverage": {"type": "number", "description": "The share of outcomes that the interval shall contain"},
    },
    "description": "What the values mean, where there is more to say than the name",
}


def _output(parameters: dict[str, Any] = _PARAMETERS, **more: dict[str, Any]) -> dict[str, Any]:
    output = of(**_DESCRIBED["properties"], **more)
    output["properties"]["parameters"] = parameters
    return {"type": "array", "items": output}


SERVER = of(name=_TEXT, version=_TEXT, extensions=_TEXTS)
LIVE, READY, MODEL_READY = of(live=_BOOLEAN), of(ready=_BOOLEAN), of(name=_TEXT, ready=_BOOLEAN)
MODEL = of(
    name=_TEXT,
    versions=_TEXTS,
    platform=_TEXT,
    inputs={"type": "array", "items": _DESCRIBED},
    outputs=_output(_MEANING),
)
EXPLANATION = of(
    model_name=_TEXT,
    id=_TEXT,
    parameters=of(method=_TEXT | {"description": "`tree` or `exact`, with standard errors of 0, or `sampled`"}),
    outputs=_output(
        data={"type": "array", "description": "Shapley values, standard errors and bases, in row-major order"}
    ),
)
EXPLANATION["properties"]["parameters"]["properties"]["output"] = _TEXT | {
    "description": "`margin`, if the request asks for the margin of a model of trees"
}
INDEX = {"type": "array", "items": of(name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT)}
LOADED = of(name=_TEXT)
INFERENCE = of(
    model_name=_TEXT,
    id=_TEXT,
    outputs=_output(data={"type": "array", "description": "The values, in row-major order"}),
)
INFERENCE["properties"]["model_version"] = _TEXT | {"description": "If one version answered all rows"}


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    operations = list(operations)
    bodies = [each.body for each in operations if each.body]
    _, schemas = msgspec.json.schema_components(bodies, ref_template=_REF)
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each)
    schemas["Problem"] = openapi.Problem.model_json_schema()
    found = {
        "openapi": "3.1.0",
        "info": {"title": "Rondo serving", "version": "1", "description": "The Open Inference Protocol v2."},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    return openapi.complete(found)


def _described(operation: Operation) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", operation.path)
    errors = _ERRORS | (_REFUSED if operation.body or operation.arrow else {})
    answer = _STREAM if operation.arrow else {"application/json": {"schema": operation.answer}}
    success = {"description": operation.summary, "content": answer}
    described: dict[str, Any] = {
        "summary": operation.summary,
        openapi.ROLES: openapi.names(operation.roles),
        "parameters": [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names],
        "responses": {"200": success}
        | {str(status): {"description": text, "content": _PROBLEM} for status, text in sorted(errors.items())},
    }
    if operation.arrow:
        described["requestBody"] = {"required": True, "content": _STREAM}
    if operation.body:
        content = {"application/json": {"schema": {"$ref": _REF.format(name=operation.body.__name__)}}}
        described["requestBody"] = {"required": True, "content": content}
    return described
