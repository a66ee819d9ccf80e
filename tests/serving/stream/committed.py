"""Answers that are committed, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rondo.serving.stream.repeated_requests import CommittedAnswer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from threading import Event


@dataclass
class Committed:
    """Implements `CommittedAnswers`. `asked` has the partitions of each call.

    A call for a partition in `blocked` lasts until the event there is set.
    """

    answers: list[CommittedAnswer] = field(default_factory=list)
    asked: list[set[int]] = field(default_factory=list)
    blocked: dict[int, Event] = field(default_factory=dict)

    def add(self, each: str, answer: bytes, made_at: float, partition: int = 0, model: str = "delay") -> None:
        self.answers.append(CommittedAnswer(partition, model, each, made_at, answer))

    def since(self, partitions: Collection[int], time: float, most: int, /) -> Iterator[CommittedAnswer]:
        self.asked.append(set(partitions))
        assert most > 0
        for each in set(partitions) & self.blocked.keys():
            assert self.blocked[each].wait(10)
        yield from (each for each in self.answers if each.partition in partitions and each.made_at >= time)
