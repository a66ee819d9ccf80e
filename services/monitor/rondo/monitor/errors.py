"""What can go wrong in the monitor, and what to do about it."""

from __future__ import annotations

from rondo.chassis.errors import UnavailableError


class FencedError(UnavailableError):
    """Another monitor saved its state in between: what this one has in memory is no longer the truth."""

    def __init__(self, turn: int) -> None:
        super().__init__("the saved state", f"another monitor has saved after turn {turn}; run one monitor at a time")


class UnreadableLogError(ValueError):
    """A message of a log is not what its contract says."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(
            f"a message of {topic} is passed over: {why}; "
            "it stays in Kafka, see rondo.contracts.events.logs for what is expected"
        )


class UnknownModelError(LookupError):
    """Nothing has been heard of a model."""

    def __init__(self, model: str, known: list[str]) -> None:
        names = ", ".join(known) or "none yet"
        super().__init__(
            f"no spec of {model} has been applied (watched: {names}); apply one with `rondo apply rondo.yaml`"
        )
