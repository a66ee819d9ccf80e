"""What can go wrong with a version or a request; every message says what to do next."""

from __future__ import annotations


class ServingError(Exception):
    """The base of the service's errors."""


class VersionRefusedError(ServingError):
    """A version can't be served by this replica, and the one before it goes on."""

    def __init__(self, model: str, model_version: int, why: str) -> None:
        self.model, self.model_version = model, model_version
        super().__init__(f"version {model_version} of {model} is refused: {why}")


class RequestRefusedError(ServingError):
    """A request can't be answered. `code` is one of a few words, the message a sentence with what to send instead."""

    def __init__(self, code: str, message: str, model: str | None = None) -> None:
        self.code, self.model = code, model
        super().__init__(message)
