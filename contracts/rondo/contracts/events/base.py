"""The base of every event: a frozen value in the past tense that knows its topic."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from rondo.contracts.text import Text


class Value(BaseModel):
    """A frozen part of an event. Unknown fields are ignored, so that an older reader can read a newer writer.

    JSON has no NaN and no infinity, so they travel as the strings `NaN`, `Infinity` and `-Infinity` and read back
    as floats. Values compare by what they hold; one that holds a mapping can't be hashed, so sets are of ids.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Event(Value):
    """Something that became true. Subclasses set `topic`; a breaking change is a new class on a `.v2` topic."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def event_type(cls) -> str:
        """Return the CloudEvents `type`, such as `rondo.ModelPromoted.v1`."""
        return f"rondo.{cls.__name__}.v{cls.version}"

    @property
    def key(self) -> str:
        """The Kafka key and CloudEvents `subject`: what the event is about. Events of one key keep their order."""
        raise NotImplementedError


class ModelEvent(Event):
    """An event about one model, keyed by its name."""

    model: Text

    @property
    def key(self) -> str:
        """The model's name."""
        return self.model
