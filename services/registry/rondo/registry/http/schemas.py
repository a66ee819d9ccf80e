"""Request and response bodies of the commands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.access_tokens import Role
from rondo.contracts.events.base import Value
from rondo.contracts.events.datasets import ContractChange
from rondo.contracts.text import Digest, Name, Text
from rondo.contracts.times import EventTime, Utc

LARGEST = 2**31 - 1
Number = Annotated[int, Field(ge=1, le=LARGEST)]
Reason = Annotated[Text, Field(max_length=1_000)]


class Command(BaseModel):
    """A command. Its reason is written to the audit log, with the name of the token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason = ""


class Promote(Command):
    """Promote a version. `override` promotes a version that did not pass its gates.

    `revision` is the deployment that the caller has read. If it is given and has changed, the answer is 409.
    """

    version: Number
    override: bool = False
    revision: int | None = None


class RollBack(Command):
    """Go back to `version`, or to the previous one. `revision` is as for a promotion."""

    version: Number | None = None
    revision: int | None = None


class Train(Command):
    """Train now, with the data that was known at event time `at`. The default is the present."""

    at: EventTime | None = None


class Score(Command):
    """Score all rows of version `data_version` of a dataset."""

    dataset: Name
    data_version: Annotated[int, Field(ge=0)]


class AppliedSpec(Value):
    """The spec is in force as `revision`. `changed` is false if it was in force already."""

    model: str
    revision: int
    digest: Digest
    changed: bool
    warnings: tuple[str, ...] = ()


class AppliedDataset(Value):
    """The dataset spec is in force as `revision`. `changed` is false if it was in force already.

    `changes` are the differences from the previous spec. `warnings` are sentences, also about changes.
    """

    dataset: str
    revision: int
    digest: Digest
    changed: bool
    changes: tuple[ContractChange, ...] = ()
    warnings: tuple[str, ...] = ()


class Removed(Value):
    """The model was removed. `revision` is that of the removal, the next one of its spec."""

    model: str
    revision: int


class Requested(Value):
    """A training was requested. `trigger_id` identifies its run, if the trainer admits it."""

    model: str
    trigger_id: str
    status: Literal["requested"] = "requested"


class RegistrationRequested(Value):
    """A registration was requested. `artifact` is the digest of the file, and `trigger_id` identifies the run."""

    model: str
    trigger_id: str
    artifact: Digest
    status: Literal["requested"] = "requested"


class ScoringJob(Value):
    """A scoring was requested `at` a time. Ingestion has the progress of `job`. A repeated request is the same job."""

    model: str
    model_version: int
    job: str
    at: Utc
    status: Literal["requested"] = "requested"


class NewToken(BaseModel):
    """Create a token. Its bearer acts as `name`, which the audit log records. Without `expires_at` it never expires."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[^:\x00-\x1f]+$")]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    expires_at: Utc | None = None


class TokenView(Value):
    """A token without its secret. The registry stores only a hash of the secret."""

    token_id: str
    name: str
    roles: tuple[str, ...]
    created_at: Utc
    expires_at: Utc | None
    revoked_at: Utc | None


class CreatedToken(TokenView):
    """A token with its secret. Only this answer has the secret."""

    token: str


class Tokens(Value):
    """All tokens, oldest first, including revoked ones."""

    tokens: tuple[TokenView, ...]
