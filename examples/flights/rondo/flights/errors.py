"""Errors that end the demo without a report. Each has a `code`, and a message that says what to do next."""

from __future__ import annotations

from typing import ClassVar


class FlightsError(RuntimeError):
    """The base class. Print its text, not a traceback."""

    code: ClassVar[str] = "flights"


class DatasetMissingError(FlightsError):
    """The package with the data is not installed."""

    code = "dataset_missing"

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(f"{package} is not installed: install it with `uv sync --package rondo-flights`")


class UnknownExampleError(FlightsError):
    """No folder of the examples has this name."""

    code = "unknown_example"

    def __init__(self, name: str, known: list[str]) -> None:
        self.name, self.known = name, known
        super().__init__(f"there is no example {name!r}: use one of {', '.join(known)}")


class FirstModelError(FlightsError):
    """No version was served after the first batches."""

    code = "no_first_model"

    def __init__(self, why: str) -> None:
        super().__init__(f"no first model was served: {why}; see the logs of the trainer and the registry")


class NotDeliveredError(FlightsError):
    """Kafka did not acknowledge messages."""

    code = "not_delivered"

    def __init__(self, count: int, why: str) -> None:
        super().__init__(
            f"{count} messages could not be delivered to Kafka: {why}; see kafka.log under the stack's folder"
        )
        self.count, self.why = count, why


class UnreadableError(FlightsError):
    """The topics can't be read."""

    code = "unreadable"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the topics can't be read, so nothing is counted: {why}; see kafka.log under the stack's folder"
        )
        self.why = why
