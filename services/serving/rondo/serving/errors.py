"""Errors of the serving service. Each message says what to do next."""

from __future__ import annotations

from typing import ClassVar

from rondo.chassis.errors import UnavailableError


class ServingError(Exception):
    """The base of the service's errors."""


class VersionRefusedError(ServingError):
    """This replica can't serve a version. The version that serves now continues to serve."""

    code: ClassVar[str] = "version_refused"

    def __init__(self, model: str, model_version: int, reason: str) -> None:
        self.model, self.model_version = model, model_version
        super().__init__(f"version {model_version} of {model} is refused: {reason}")


class DeadlineExceededError(ServingError):
    """A request was not answered within its timeout. If scoring had begun, the inference log may have its answer."""

    code: ClassVar[str] = "deadline_exceeded"

    def __init__(self, seconds: float, *, began: bool) -> None:
        self.began = began
        if began:
            what = f"the request was not answered, and may be in the inference log, {seconds:g} s after it came"
        else:
            what = f"the request was not scored {seconds:g} s after it came"
        super().__init__(f"{what}; send it again with a longer `timeout`, or where fewer requests wait")


class LogUnavailableError(UnavailableError):
    """Kafka did not acknowledge the log of an inference in time. Kafka may still have the log."""

    ADVICE: ClassVar[str] = (
        "the request may be in the inference log all the same: send it again once /readyz answers 200"
    )


class OverloadedError(ServingError):
    """Too many requests are waiting, so this one was refused.

    `retry_seconds` is the expected time until some are done.
    """

    code: ClassVar[str] = "overloaded"

    def __init__(self, waiting: str, retry_seconds: int) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(
            f"{waiting} already: this one was neither scored nor logged. Send it again after {retry_seconds} s, or send"
            " fewer at the same time"
        )


class RequestRefusedError(ServingError):
    """A request can't be answered.

    `code` is one of a fixed set (docs/errors.md), and the message says what to send instead. `facts` are details for
    programs: `feature`, `row`, `nearest`.
    """

    def __init__(self, code: str, message: str, model: str | None = None, **facts: str | int) -> None:
        self.code, self.model, self.facts = code, model, facts
        super().__init__(message)


class ScoringCancelledError(Exception):
    """The output of a bulk message is not needed, because its partition has moved or the service stops."""
