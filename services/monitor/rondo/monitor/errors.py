"""Errors of the monitor. Each has a `code` and says what to do next."""

from __future__ import annotations

from typing import ClassVar

from rondo.chassis.errors import UnavailableError


class FencedError(UnavailableError):
    """Another process saved a checkpoint after this one loaded its own: the state in memory is stale."""

    code: ClassVar[str] = "fenced"

    def __init__(self, generation: int) -> None:
        self.generation = generation
        super().__init__(
            "the saved state", f"another monitor saved after generation {generation}; run one monitor at a time"
        )


class UnreadableLogError(ValueError):
    """A message of a log violates its contract."""

    code: ClassVar[str] = "unreadable_log"

    def __init__(self, topic: str, why: str) -> None:
        self.topic, self.why = topic, why
        super().__init__(
            f"skipped a message of {topic}: {why}; the message stays in Kafka, "
            "rondo.contracts.events.logs defines the expected format"
        )


class UnknownModelError(LookupError):
    """No spec of this model is known."""

    code: ClassVar[str] = "unknown_model"

    def __init__(self, model: str, known: list[str]) -> None:
        self.model, self.known = model, known
        names = ", ".join(known) or "none yet"
        super().__init__(
            f"no spec of {model} has been applied (known models: {names}); apply one with `rondo apply rondo.yaml`"
        )
