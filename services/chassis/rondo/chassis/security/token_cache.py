"""Tokens in the memory of every service, from the compacted topic `access.tokens`.

So a service can authenticate while the registry and PostgreSQL are unavailable, and all services refuse a revoked token
as soon as one message arrives.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.chassis.security.principal import Principal
from rondo.contracts import access_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rondo.contracts.events.access import TokenChanged
    from rondo.contracts.events.cloudevents import Envelope

log = logging.getLogger(__name__)
# A new token may be used before its event has arrived.
_ARRIVAL_SECONDS = 0.5


class UnauthenticatedError(Exception):
    """The request has no valid credential. The message has the reason."""

    code = "unauthenticated"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}: send the header Authorization: Bearer <token>; `rondo token create` makes one")


class TokenCache:
    """The newest event of each token id."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._tokens: dict[str, TokenChanged] = {}
        self._times: dict[str, datetime] = {}
        # The principal and its expiry by the SHA-256 of a credential. Any change of a token clears it.
        self._known: dict[bytes, tuple[Principal, datetime | None]] = {}
        self._changed = asyncio.Condition()
        self._complete = False

    async def on_token_changed(self, envelope: Envelope[TokenChanged]) -> None:
        """Store a change, unless a newer one of the same token is known.

        After a reconnect the topic is read again from its beginning: an old event must not restore a revoked token.
        """
        newest = self._times.get(envelope.data.token_id)
        if newest is None or envelope.time >= newest:
            self._times[envelope.data.token_id] = envelope.time
            await self.put(envelope.data)

    async def put(self, token: TokenChanged) -> None:
        async with self._changed:
            self._tokens[token.token_id] = token
            self._known.clear()
            self._changed.notify_all()

    def completed(self) -> None:
        """Authenticate from now on: all events that were published before the start have been read."""
        self._complete = True

    async def authenticate(self, credential: str) -> Principal:
        """Return the principal of a token.

        Raises:
            UnavailableError: the tokens have not been read yet.
            UnauthenticatedError: the token is malformed, unknown, expired or revoked.

        """
        if not self._complete:
            raise UnavailableError("authentication", "the tokens are still being read from Kafka")
        if not self._tokens:
            raise UnavailableError("authentication", "no token exists yet: the registry publishes them when it starts")
        parts = access_tokens.split(credential)
        if parts is None:
            raise UnauthenticatedError("the credential is not a token of the form rondo_<id>_<secret>")
        token_id, secret = parts
        return self._principal(token_id, secret, await self._find(token_id))

    def known(self, credential: str) -> Principal | None:
        """Return the principal of a cached token. None if `authenticate` has to wait for the token or to refuse it."""
        digest = hashlib.sha256(credential.encode()).digest()
        if (known := self._known.get(digest)) is None:
            parts = access_tokens.split(credential) if self._complete else None
            token = self._tokens.get(parts[0]) if parts else None
            if parts is None or token is None:
                return None
            try:
                known = self._principal(*parts, token), token.expires_at
            except UnauthenticatedError:
                return None
            self._known[digest] = known
        principal, expires_at = known
        return principal if expires_at is None or self._now() < expires_at else None

    def _principal(self, token_id: str, secret: str, token: TokenChanged | None) -> Principal:
        # An unknown id is refused later than a wrong secret, which reveals the existing ids. Ids are not secret.
        if token is None or not access_tokens.matches(secret, token.secret_digest):
            raise UnauthenticatedError("the token is unknown, or was replaced")
        if token.revoked_at is not None:
            raise UnauthenticatedError(f"the token {token_id} was revoked")
        if token.expires_at is not None and token.expires_at <= self._now():
            raise UnauthenticatedError(f"the token {token_id} expired at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}")
        return Principal(token.name, frozenset(token.roles))

    async def wait_for(self, token_ids: Iterable[str]) -> None:
        """Wait until all of these tokens are known."""
        wanted = set(token_ids)
        async with self._changed:
            await self._changed.wait_for(lambda: wanted <= self._tokens.keys())

    async def _find(self, token_id: str) -> TokenChanged | None:
        if token_id not in self._tokens:
            try:
                async with asyncio.timeout(_ARRIVAL_SECONDS):
                    await self.wait_for([token_id])
            except TimeoutError:
                return None
        return self._tokens[token_id]
