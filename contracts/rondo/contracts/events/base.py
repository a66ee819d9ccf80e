"""The base classes of events. An event is a frozen value, named in the past tense, with its topic."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from rondo.contracts.text import Text


class Value(BaseModel):
    """A frozen part of an event. Unknown fields are ignored, so that an older reader can read a newer writer.

    JSON has no NaN and no infinity. They are written as the strings `NaN`, `Infinity` and `-Infinity`, and read back as
    floats. Values compare by content. A value with a mapping can't be hashed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="strings")


class Event(Value):
    """Something that happened. Subclasses set `topic`. A breaking change needs a new class on a `.v2` topic."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def event_type(cls) -> str:
        """Return the CloudEvents `type`, such as `rondo.ModelPromoted.v1`."""
        return f"rondo.{cls.__name__}.v{cls.version}"

    @property
    def key(self) -> str:
        """The Kafka key and the CloudEvents `subject`. Events with the same key keep their order."""
        raise NotImplementedError


class ModelEvent(Event):
    """An event about one model, keyed by its name."""

    model: Text

    @property
    def key(self) -> str:
        """The model's name."""
        return self.model
