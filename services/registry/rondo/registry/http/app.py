"""The HTTP API: translates, and leaves every decision to the commands."""

from __future__ import annotations

from fastapi import FastAPI

from rondo.registry.http import audit, commands, errors, models, runs, versions


def api() -> FastAPI:
    """Return the API; its document is at /openapi.json. It answers 503 until `http_access.open_api` opens it."""
    app = FastAPI(
        title="Rondo registry",
        version="1",
        description="Versions, gates, promotion, rollback, lineage and audit of models.",
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    for part in (commands, models, versions, audit, runs):
        app.include_router(part.router)
    return app
