"""The events of access to the HTTP APIs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from rondo.contracts.events.base import Event
from rondo.contracts.text import Digest, Text
from rondo.contracts.times import Utc
from rondo.contracts.vocabularies import Role, open_to


class TokenChanged(Event):
    """An access token was created, rotated or revoked. Every service authenticates from the newest event of each id.

    `name` is the principal that the bearer acts as. `secret_digest` is the SHA-256 of the token's secret. The token is
    valid until `expires_at`, or until `revoked_at` is set.
    """

    topic: ClassVar[str] = "access.tokens"

    token_id: Text
    name: Text
    roles: tuple[Annotated[Text, open_to(Role)], ...]
    secret_digest: Digest
    created_at: Utc
    expires_at: Utc | None = None
    revoked_at: Utc | None = None

    @property
    def key(self) -> str:
        """The token's id."""
        return self.token_id
