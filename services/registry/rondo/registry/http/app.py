"""The FastAPI application of the registry."""

from __future__ import annotations

from fastapi import FastAPI

from rondo.registry.http import audit, commands, errors, models, versions


def api() -> FastAPI:
    """Return the API; its document is at /openapi.json. It answers 503 until `dependencies.open_api` is called."""
    app = FastAPI(
        title="Rondo registry",
        version="1",
        description="Versions, gates, promotion, rollback, lineage and audit of models.",
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    for part in (commands, models, versions, audit):
        app.include_router(part.router)
    return app
