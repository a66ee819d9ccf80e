"""Routes of access tokens, for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Response

from rondo.chassis.http.api import Admin, requires
from rondo.contracts.access_tokens import Role
from rondo.contracts.text import Text
from rondo.registry.access import tokens
from rondo.registry.audit.hash_chain import TOKENS_CHAIN
from rondo.registry.http.audit import AuditLog, Full, read_chain
from rondo.registry.http.dependencies import CONFLICT, DEFAULT_LIMIT, After, Context, Limit
from rondo.registry.http.schemas import CreatedToken, NewToken, Tokens, TokenView

if TYPE_CHECKING:
    from rondo.contracts.events.access import TokenChanged

router = APIRouter(prefix="/v1/tokens", responses=CONFLICT, dependencies=[requires(Role.ADMIN)])
TokenId = Annotated[Text, Path()]


@router.post("", status_code=201, summary="Create a token")
async def create(body: NewToken, context: Context, principal: Admin, response: Response) -> CreatedToken:
    """Create a token. Only this answer has its secret."""
    async with context.store.work() as work:
        issued = await tokens.create(work, principal, body.name, body.roles, body.expires_at)
    return _created(issued, response)


@router.get("", summary="All tokens")
async def list_tokens(context: Context) -> Tokens:
    """Return all tokens, oldest first, without secrets and hashes."""
    return Tokens(tokens=tuple(_view(token) for token in await context.queries.tokens()))


@router.get("/audit", summary="The audit log of the tokens, verified")
async def audit_log(
    context: Context, after: After = 0, limit: Limit = DEFAULT_LIMIT, *, full: Full = False
) -> AuditLog:
    """Return the creations, rotations and revocations of tokens, and the result of verifying the chain."""
    return await read_chain(context, TOKENS_CHAIN, after, limit, full=full)


@router.post("/{token_id}/rotate", summary="Give a token another secret")
async def rotate(token_id: TokenId, context: Context, principal: Admin, response: Response) -> CreatedToken:
    """Replace the secret. The previous secret is invalid from then on."""
    async with context.store.work() as work:
        issued = await tokens.rotate(work, principal, token_id)
    return _created(issued, response)


@router.delete("/{token_id}", summary="Revoke a token")
async def revoke(token_id: TokenId, context: Context, principal: Admin) -> TokenView:
    """Make a token invalid permanently. It stays in the list."""
    async with context.store.work() as work:
        return _view(await tokens.revoke(work, principal, token_id))


def _created(issued: tokens.IssuedToken, response: Response) -> CreatedToken:
    response.headers["cache-control"] = "no-store"
    return CreatedToken(**dict(_view(issued.token)), token=issued.credential)


def _view(token: TokenChanged) -> TokenView:
    return TokenView.model_validate(token.model_dump(exclude={"secret_digest"}))
