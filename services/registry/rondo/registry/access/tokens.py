"""Access tokens. Each change is audited, and published on `access.tokens`, from which every service authenticates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.contracts import access_tokens
from rondo.contracts.access_tokens import Role
from rondo.registry.audit.hash_chain import TOKENS_CHAIN, Action, AuditEntry
from rondo.registry.errors import (
    InvalidTokenError,
    LastAdminTokenError,
    ReservedSeedError,
    RevokedTokenError,
    UnknownTokenError,
)
from rondo.registry.model.model import SYSTEM, SYSTEM_NAMES, Actor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rondo.chassis.security.principal import Principal
    from rondo.contracts.access_tokens import TokenSeed
    from rondo.contracts.events.access import TokenChanged
    from rondo.registry.ports import TokenTable


@dataclass(frozen=True)
class IssuedToken:
    """A token with its `credential`, which is stored nowhere. The caller receives it once."""

    token: TokenChanged
    credential: str


async def create(
    work: TokenTable, principal: Principal, name: str, roles: Sequence[Role], expires_at: datetime | None
) -> IssuedToken:
    """Create a token for the principal `name`.

    Raises:
        InvalidTokenError: the name is reserved for the registry, or the token expires in the past.

    """
    now = datetime.now(UTC)
    if name in SYSTEM_NAMES:
        raise InvalidTokenError(f"the name {name!r} is how the registry signs its own decisions: choose another")
    if expires_at is not None and expires_at <= now:
        raise InvalidTokenError(f"it would expire at {expires_at}, which is in the past: choose a later time")
    credential, seed = access_tokens.mint(name, roles)
    issued = IssuedToken(seed.created(now, expires_at), credential)
    await _save(work, Actor(principal.name), "token_created", issued.token)
    return issued


async def rotate(work: TokenTable, principal: Principal, token_id: str) -> IssuedToken:
    """Replace the secret of a token. The previous secret is invalid from then on.

    Raises:
        UnknownTokenError: there is no such token.
        RevokedTokenError: it was revoked.

    """
    token = await _valid(work, token_id)
    secret = access_tokens.new_secret()
    rotated = token.model_copy(update={"secret_digest": access_tokens.secret_digest(secret)})
    await _save(work, Actor(principal.name), "token_rotated", rotated)
    return IssuedToken(rotated, access_tokens.joined(token_id, secret))


async def revoke(work: TokenTable, principal: Principal, token_id: str) -> TokenChanged:
    """Make a token invalid permanently.

    Raises:
        UnknownTokenError: there is no such token.
        RevokedTokenError: it is revoked already.
        LastAdminTokenError: no other token has the role admin.

    """
    token, now = await _valid(work, token_id), datetime.now(UTC)
    others = (each for each in await work.load_tokens_for_update() if each.token_id != token_id)
    if _is_admin(token, now) and not any(_is_admin(other, now) for other in others):
        raise LastAdminTokenError(token_id)
    revoked = token.model_copy(update={"revoked_at": now})
    await _save(work, Actor(principal.name), "token_revoked", revoked)
    return revoked


async def seed(work: TokenTable, seeds: Iterable[TokenSeed]) -> None:
    """Create the seeded tokens that do not exist yet, and publish all tokens.

    An existing token stays as it is, and a revoked one stays revoked. All tokens are published, so that services can
    authenticate again after Kafka lost its data.

    Raises:
        ReservedSeedError: the name of a seed is reserved for the registry.

    """
    seeds = list(seeds)
    if reserved := next((each.name for each in seeds if each.name in SYSTEM_NAMES), None):
        raise ReservedSeedError(reserved)
    known = {token.token_id: token for token in await work.load_tokens_for_update()}
    for token in known.values():
        await work.publish(token)
    for each in seeds:
        if each.id not in known:
            await _save(work, SYSTEM, "token_created", each.created(datetime.now(UTC)))


def _is_admin(token: TokenChanged, now: datetime) -> bool:
    expired = token.expires_at is not None and token.expires_at <= now
    return Role.ADMIN in token.roles and token.revoked_at is None and not expired


async def _valid(work: TokenTable, token_id: str) -> TokenChanged:
    token = next((each for each in await work.load_tokens_for_update() if each.token_id == token_id), None)
    if token is None:
        raise UnknownTokenError(token_id)
    if token.revoked_at is not None:
        raise RevokedTokenError(token_id)
    return token


async def _save(work: TokenTable, actor: Actor, action: Action, token: TokenChanged) -> None:
    await work.save_token(token)
    await work.publish(token)
    evidence = token.model_dump(mode="json", include={"token_id", "name", "roles", "expires_at"})
    await work.append_audit(TOKENS_CHAIN, actor, AuditEntry(action, evidence))
