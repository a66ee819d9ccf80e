"""The HTTP API: translates, and leaves every decision to the commands."""

from __future__ import annotations

from fastapi import FastAPI

from rondo.registry import http_audit, http_commands, http_errors, http_models, http_runs, http_versions


def api() -> FastAPI:
    """Return the API; its document is at /openapi.json. It answers 503 until `http_access.open_api` opens it."""
    app = FastAPI(
        title="Rondo registry",
        version="1",
        description="Versions, gates, promotion, rollback, lineage and audit of models.",
        docs_url=None,
        redoc_url=None,
    )
    http_errors.install(app)
    for part in (http_commands, http_models, http_versions, http_audit, http_runs):
        app.include_router(part.router)
    return app
