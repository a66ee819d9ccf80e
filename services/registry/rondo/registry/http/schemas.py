"""Request and response bodies of the commands, and the shape of every error."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rondo.contracts.events.base import Value
from rondo.contracts.text import Digest
from rondo.contracts.times import Utc

# PostgreSQL stores every character but this one.
NO_NUL = r"^[^\x00]*$"
LARGEST = 2**31 - 1
Number = Annotated[int, Field(ge=1, le=LARGEST)]
Who = Annotated[str, Field(min_length=1, max_length=128, pattern=NO_NUL)]
Reason = Annotated[str, Field(max_length=1_000, pattern=NO_NUL)]


class Command(BaseModel):
    """A command. `decided_by`, or else the header `X-Rondo-User`, is written to the audit log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason = ""
    decided_by: Who | None = None


class Promote(Command):
    """Promote a version; `override` promotes one that did not pass its gates.

    `revision`, where given, is the deployment that the caller read: if it is another by now, nothing is done (409).
    """

    version: Number
    override: bool = False
    revision: int | None = None


class RollBack(Command):
    """Go back to `version`, or to the previous one. `revision` as for a promotion."""

    version: Number | None = None
    revision: int | None = None


class Removed(Value):
    """The model was removed. `revision` is the next one of its spec, which the removal takes."""

    model: str
    revision: int


class Train(Command):
    """Train now, with the data that was known at event time `at`; the present by default."""

    at: Utc | None = None


class Refusal(BaseModel):
    """Every error: a short name, a message with what to do, and for some errors more."""

    model_config = ConfigDict(extra="allow")

    error: str
    message: str


class AppliedSpec(Value):
    """The spec is in force as `revision`; `changed` is false if it was in force already."""

    model: str
    revision: int
    digest: Digest
    changed: bool
    warnings: tuple[str, ...] = ()


class Requested(Value):
    """A training was requested; `trigger_id` identifies its run, if the trainer admits it."""

    model: str
    trigger_id: str
    status: Literal["requested"] = "requested"
