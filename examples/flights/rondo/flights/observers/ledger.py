"""The ledger of requests and answers, which finds lost requests and duplicate answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Answer:
    """The version that answered, and its score, value or label. None if a model of another program gives none."""

    model_version: int
    output: float | str | None


@dataclass
class Ledger:
    """The number of requests, answers and refusals by request id, and the last answer.

    One thread writes. Other threads may read the plain counts at any time, and everything else after the end of that
    thread.
    """

    requests: int = 0
    responses: int = 0
    requested: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Answer] = field(default_factory=dict)
    first_by_version: dict[int, datetime] = field(default_factory=dict)
    by_version: Counter[int] = field(default_factory=Counter)

    def add_request(self, request: str) -> None:
        self.requests += 1
        self.requested[request] += 1

    def add_refusal(self, request: str) -> None:
        """Count a dead letter of a request as a refusal, which is an answer to it."""
        self.responses += 1
        self.refused[request] += 1

    def add_answer(self, request: str, answer: Answer, made_at: datetime) -> None:
        self.responses += 1
        self.answered[request] += 1
        self.answers[request] = answer
        self.by_version[answer.model_version] += 1
        first = self.first_by_version.get(answer.model_version)
        if first is None or made_at < first:
            self.first_by_version[answer.model_version] = made_at

    def lost(self) -> list[str]:
        """Return the ids of requests without an answer or a refusal."""
        return [request for request in self.requested if request not in self.answered and request not in self.refused]

    def doubled(self) -> list[str]:
        """Return the ids with more answers and refusals than requests."""
        both = self.answered + self.refused
        return [request for request, count in both.items() if count > self.requested[request]]

    @property
    def open(self) -> int:
        """The number of requests without an answer. It is exact at the end, and slightly late before."""
        return self.requests - self.responses
