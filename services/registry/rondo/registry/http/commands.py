"""Routes of commands: apply a spec, register a model, promote, roll back, train, remove."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request

from rondo.chassis.http.api import Approver, Engineer  # noqa: TC001 - FastAPI reads it at run time
from rondo.chassis.http.body import BodyTooLargeError, read_body
from rondo.chassis.http.openapi import Problem
from rondo.contracts.spec.dataset.section import DatasetSpec
from rondo.contracts.spec.file import MAX_BYTES, SpecError, parse_any
from rondo.registry import commands
from rondo.registry.commands import Requester
from rondo.registry.datasets.commands import apply_dataset
from rondo.registry.errors import ModelFileTooLargeError, RegistryError
from rondo.registry.http.dependencies import CONFLICT, Context, ModelName
from rondo.registry.http.models import ModelView, model_view
from rondo.registry.http.schemas import (
    AppliedDataset,
    AppliedSpec,
    Promote,
    Reason,
    RegistrationRequested,
    Removed,
    Requested,
    RollBack,
    Train,
)
from rondo.registry.registration import uploads
from rondo.registry.registration.onnx_check import require_onnx

if TYPE_CHECKING:
    from rondo.registry.http.dependencies import ApiContext

router = APIRouter(prefix="/v1", responses=CONFLICT)
_MODEL_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ENCODED: dict[int | str, dict[str, Any]] = {
    415: {
        "model": Problem,
        "description": "The content encoding is not supported; `Accept-Encoding` lists those that are.",
    }
}
_SPEC_BODY = {"requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}}


@router.put("/specs", openapi_extra=_SPEC_BODY, responses=_ENCODED, summary="Apply a spec")
async def apply_spec(request: Request, context: Context, principal: Engineer) -> AppliedSpec | AppliedDataset:
    """Bring the spec of a model or a dataset (the body) into force. Applying it again changes nothing.

    A body with `kind: dataset` is the spec of a dataset.
    """
    spec = parse_any(await _text(request))
    if isinstance(spec, DatasetSpec):
        return await _apply_dataset(spec, context, Requester(principal))
    async with context.store.work() as work:
        applied = await commands.apply_spec(work, spec, Requester(principal))
    return AppliedSpec(
        model=spec.model,
        revision=applied.revision,
        digest=spec.digest,
        changed=applied.changed,
        warnings=applied.warnings,
    )


async def _apply_dataset(spec: DatasetSpec, context: ApiContext, by: Requester) -> AppliedDataset:
    async with context.store.work() as work:
        applied = await apply_dataset(work, spec, by.actor)
    return AppliedDataset(
        dataset=spec.dataset,
        revision=applied.revision,
        digest=spec.digest,
        changed=applied.changed,
        changes=applied.changes,
        warnings=applied.warnings,
    )


@router.post("/models/{model}/promote", summary="Promote a version by hand")
async def promote(model: ModelName, body: Promote, context: Context, principal: Approver) -> ModelView:
    """Make a version the champion."""
    by = Requester(principal, body.reason)
    async with context.store.work() as work:
        after = await commands.promote(work, model, body.version, by, body.revision, override=body.override)
    return model_view(after)


@router.post("/models/{model}/rollback", summary="Go back to an earlier version")
async def roll_back(model: ModelName, context: Context, principal: Approver, body: RollBack | None = None) -> ModelView:
    """Make an earlier version the champion again. By default it is the previous one."""
    body = body or RollBack()
    by = Requester(principal, body.reason)
    async with context.store.work() as work:
        after = await commands.roll_back(work, model, body.version, by, body.revision)
    return model_view(after)


@router.post("/models/{model}/train", status_code=202, summary="Train now")
async def train(model: ModelName, context: Context, principal: Engineer, body: Train | None = None) -> Requested:
    """Request a training. The trainer publishes TrainingStarted or TrainingSkipped."""
    body = body or Train()
    by = Requester(principal, body.reason)
    async with context.store.work() as work:
        trigger = await commands.train(work, model, by, body.at or datetime.now(UTC))
    return Requested(model=model, trigger_id=trigger.id)


@router.post(
    "/models/{model}/versions",
    status_code=202,
    openapi_extra=_MODEL_BODY,
    responses={**_ENCODED, 413: {"model": Problem, "description": "The model is too large, or has too many parts."}},
    summary="Register a model that was made elsewhere",
)
async def register(
    request: Request,
    model: ModelName,
    context: Context,
    principal: Engineer,
    reason: Annotated[Reason, Query()] = "",
) -> RegistrationRequested:
    """Store an ONNX model (the body), and have the trainer evaluate it like a trained one.

    It becomes a version, and the gates of the spec apply to it. The run of `trigger_id` has the result. A model that is
    not usable makes no version: its run fails with the reason, and its file is removed.
    """
    await context.queries.model(model)
    async with context.uploads:
        content = await _model_bytes(request, context.max_model_bytes)
        await asyncio.to_thread(require_onnx, content)
        artifact = await context.artifacts.put(content)
        try:
            async with context.store.work() as work:
                by, now = Requester(principal, reason), datetime.now(UTC)
                trigger = await commands.register(work, model, artifact, by, now)
                # A refused registration of the same file may have removed it meanwhile. From here on the upload row
                # protects it.
                if not await context.artifacts.has(artifact):
                    await context.artifacts.put(content)
        except RegistryError:
            async with context.store.work() as work:
                await uploads.discard(work, context.artifacts, artifact)
            raise
    return RegistrationRequested(model=model, trigger_id=trigger.id, artifact=artifact)


@router.delete("/models/{model}", summary="Remove a model")
async def remove(
    model: ModelName,
    context: Context,
    principal: Approver,
    reason: Annotated[Reason, Query()] = "",
    revision: int | None = None,
) -> Removed:
    """Withdraw the deployment of a model, and its spec. Its versions, its audit log and its topics' history stay.

    `revision` is the deployment that the caller has read. If it is given and has changed, the answer is 409.
    """
    async with context.store.work() as work:
        removed = await commands.remove(work, model, Requester(principal, reason), revision)
    return Removed(model=model, revision=removed)


async def _model_bytes(request: Request, limit: int) -> bytes:
    """Read the body, up to a limit. A larger announced length is refused before a byte is read."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise ModelFileTooLargeError(limit)
    try:
        return await read_body(request, limit)
    except BodyTooLargeError:
        raise ModelFileTooLargeError(limit) from None


async def _text(request: Request) -> str:
    """Read the body, up to the largest size of a spec, as text."""
    try:
        content = await read_body(request, MAX_BYTES)
    except BodyTooLargeError:
        problem = f"it is larger than {MAX_BYTES // 1024} KiB, the limit for a spec: send a spec"
        raise SpecError("the spec", (problem,)) from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise SpecError("the spec", (f"byte {error.start} is not UTF-8: save the file as UTF-8",)) from None
