"""Access tokens: roles, format, and the hashes that are stored and published instead of the tokens.

A token is `rondo_<id>_<secret>`. The id is public: it names the token in lists, logs and on `access.tokens`. The secret
has 256 random bits, so one round of SHA-256 protects it: a secret of that length can't be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rondo.contracts.events.access import TokenChanged
from rondo.contracts.vocabularies import Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = [
    "InvalidSeedError",
    "Role",
    "TokenSeed",
    "joined",
    "matches",
    "mint",
    "new_secret",
    "parse_seeds",
    "secret_digest",
    "split",
]
_TOKEN = re.compile(r"rondo_([0-9a-f]{12})_([A-Za-z0-9_-]{32,128})")
_SEED = re.compile(r"([0-9a-f]{12}):([^:\x00-\x1f]{1,100}):([a-z-]+(?:,[a-z-]+)*):(sha256:[0-9a-f]{64})")


class InvalidSeedError(ValueError):
    """Line `number` of the file of seeded tokens does not have the form `id:name:role,...:sha256:<hex>`."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(
            f"line {number} is not <id>:<name>:<role>[,<role>...]:sha256:<hex> with the roles {', '.join(Role)}"
        )


@dataclass(frozen=True)
class TokenSeed:
    """A token as a service stores it, with `secret_digest` in place of the secret."""

    id: str
    name: str
    roles: tuple[str, ...]
    secret_digest: str

    @property
    def line(self) -> str:
        """The token as a line of the file that `RONDO_TOKENS_FILE` names."""
        return f"{self.id}:{self.name}:{','.join(self.roles)}:{self.secret_digest}"

    def created(self, at: datetime, expires_at: datetime | None = None) -> TokenChanged:
        """Return the event that announces the token to all services."""
        return TokenChanged(
            token_id=self.id,
            name=self.name,
            roles=self.roles,
            secret_digest=self.secret_digest,
            created_at=at,
            expires_at=expires_at,
        )


def mint(name: str, roles: Iterable[Role]) -> tuple[str, TokenSeed]:
    """Return a new token, which is not stored anywhere, and its seed, which services store."""
    token_id, secret = secrets.token_hex(6), new_secret()
    return joined(token_id, secret), TokenSeed(token_id, name, tuple(roles), secret_digest(secret))


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def joined(token_id: str, secret: str) -> str:
    """Return the token of an id and a secret, as the inverse of `split`."""
    return f"rondo_{token_id}_{secret}"


def split(token: str) -> tuple[str, str] | None:
    """Return the id and the secret of a token. None if the text is not a token."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else None


def secret_digest(secret: str) -> str:
    return f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"


def matches(secret: str, digest: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(secret_digest(secret), digest)


def parse_seeds(text: str) -> tuple[TokenSeed, ...]:
    """Parse the file of seeded tokens, one token per line. Empty lines and lines that begin with `#` are ignored.

    Raises:
        InvalidSeedError: a line has another form.

    """
    seeds: list[TokenSeed] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _SEED.fullmatch(line.strip())
        roles = tuple(found[3].split(",")) if found else ()
        if found is None or not set(roles) <= set(Role):
            raise InvalidSeedError(number)
        seeds.append(TokenSeed(found[1], found[2], roles, found[4]))
    return tuple(seeds)
