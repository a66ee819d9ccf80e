"""The FastAPI application of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.chassis.artifacts import ArtifactCorruptError, ArtifactMissingError
from rondo.chassis.http import api as http_api
from rondo.contracts.spec.file import SpecError
from rondo.registry import errors
from rondo.registry.http import audit, commands, datasets, models, rollouts, scoring, tokens, versions

if TYPE_CHECKING:
    from fastapi import FastAPI

_STATUS: dict[type[Exception], int] = {
    errors.RegistryError: 409,
    errors.UnknownModelError: 404,
    errors.UnknownVersionError: 404,
    errors.UnknownDatasetError: 404,
    errors.UnknownTokenError: 404,
    errors.NoRolloutError: 404,
    errors.ModelFileTooLargeError: 413,
    errors.ModelTooComplexError: 413,
    errors.NotOnnxError: 422,
    errors.RefusedSpecError: 422,
    errors.RefusedDatasetError: 422,
    errors.InvalidCursorError: 422,
    errors.InvalidTokenError: 422,
    SpecError: 422,
    ArtifactMissingError: 404,
    ArtifactCorruptError: 500,
}


def api() -> FastAPI:
    """Return the API. Its document is at /openapi.json. It answers 503 until `dependencies.open_api` is called."""
    app = http_api.api(
        "Rondo registry",
        "Versions, gates, promotion, rollback, lineage and audit of models; datasets; access tokens.",
        _STATUS,
    )
    for part in (commands, datasets, models, rollouts, versions, scoring, audit, tokens):
        app.include_router(part.router)
    return app
