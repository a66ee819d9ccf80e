"""Errors of the monitor. Each has a `code` and says what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rondo.chassis.errors import StartRefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class FencedError(UnavailableError):
    """Another replica has saved a checkpoint since this one loaded its own, so the state in memory is stale."""

    code: ClassVar[str] = "fenced"

    def __init__(self, number: int, generation: int) -> None:
        self.number, self.generation = number, generation
        super().__init__(
            f"the saved state of partition {number}", f"another monitor saved it after generation {generation}"
        )


class PartitionsDifferError(StartRefusedError):
    """The two logs have different numbers of partitions, so a model's messages do not have one partition number."""

    code: ClassVar[str] = "partitions_differ"

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self.partitions = dict(partitions)
        fewest = min(partitions, key=lambda topic: partitions[topic])
        have = " and ".join(f"{topic} has {count}" for topic, count in partitions.items())
        super().__init__(
            f"the logs need equal numbers of partitions, and {have}: add partitions to {fewest} until it has "
            f"{max(partitions.values())} (kafka-topics.sh --alter --topic {fewest} --partitions "
            f"{max(partitions.values())})"
        )


class PartitionsChangedError(StartRefusedError):
    """The number of partitions is not a multiple of the one that the saved state is divided by."""

    code: ClassVar[str] = "partitions_changed"

    def __init__(self, partitions: int, saved: int) -> None:
        self.partitions, self.saved = partitions, saved
        super().__init__(
            f"the logs have {partitions} partitions, and the saved state is divided by {saved}: add partitions until "
            f"there are {-(-partitions // saved) * saved}, a multiple of {saved}, or start with an empty schema of the "
            "monitor, which reads the logs from their beginning"
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


class UnreadableStateError(RuntimeError):
    """The saved state of a model can't be decoded."""

    code: ClassVar[str] = "unreadable_state"

    def __init__(self, model: str, why: str) -> None:
        self.model, self.why = model, why
        super().__init__(
            f"the saved state of {model} can't be read ({why}): run one release of the monitor on all replicas; "
            f"if it lasts, restore the monitor's database, or start {model} over with `rondo remove {model}` and "
            "`rondo apply`"
        )


class UnknownWindowError(LookupError):
    """No closed window of this version begins at this time."""

    code: ClassVar[str] = "unknown_window"

    def __init__(self, model: str, version: int, start: datetime, nearest: datetime | None) -> None:
        self.model, self.version, self.start, self.nearest = model, version, start, nearest
        known = f"the nearest one begins at {_text(nearest)}" if nearest else "none of this version is kept"
        super().__init__(
            f"no closed window of {model} version {version} begins at {_text(start)}: {known}; "
            f"`rondo drift {model} --history --last 1000` lists all"
        )


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


class UnknownSilenceError(LookupError):
    """There is no silence with this number."""

    code: ClassVar[str] = "unknown_silence"

    def __init__(self, silence_id: int) -> None:
        self.silence_id = silence_id
        super().__init__(f"there is no silence {silence_id}; `rondo silences` lists those of the last days")


class UnknownDeliveryError(LookupError):
    """There is no delivery with this number."""

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
