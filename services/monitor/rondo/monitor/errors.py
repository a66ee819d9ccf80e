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


class UnknownSilenceError(LookupError):
    """There is no silence of this number."""

    code: ClassVar[str] = "unknown_silence"

    def __init__(self, silence_id: int) -> None:
        self.silence_id = silence_id
        super().__init__(f"there is no silence {silence_id}; `rondo silences` lists those of the last days")


class UnknownDeliveryError(LookupError):
    """There is no delivery of this number."""

    code: ClassVar[str] = "unknown_delivery"

    def __init__(self, delivery_id: int) -> None:
        self.delivery_id = delivery_id
        super().__init__(f"there is no delivery {delivery_id}; `rondo alerts` lists the newest")


class UnknownReceiverError(ValueError):
    """The receiver of a delivery is no longer in the settings."""

    code: ClassVar[str] = "unknown_receiver"

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        super().__init__(f"{receiver} is no longer in RONDO_WEBHOOK_URLS of the monitor; put its address back there")
