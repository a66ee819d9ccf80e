"""The ledger of requests and answers: what was asked, what came of it, and what is missing or there twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Answer:
    """The answer to one request: by which version, and its score."""

    model_version: int
    score: float


@dataclass
class Ledger:
    """Every request id with how often it was asked, answered and refused; and what was answered.

    One thread writes. Others may look at the plain counts at any time, at the rest once it is done.
    """

    requests: int = 0
    responses: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    answers: dict[str, Answer] = field(default_factory=dict)
    first_by_version: dict[int, datetime] = field(default_factory=dict)
    by_version: Counter[int] = field(default_factory=Counter)

    def ask(self, request: str) -> None:
        """Note a request."""
        self.requests += 1
        self.asked[request] += 1

    def refuse(self, request: str) -> None:
        """Note a request that went to the dead letters: it was answered, with a refusal."""
        self.responses += 1
        self.refused[request] += 1

    def answer(self, request: str, answer: Answer, made_at: datetime) -> None:
        """Note an answer."""
        self.responses += 1
        self.answered[request] += 1
        self.answers[request] = answer
        self.by_version[answer.model_version] += 1
        first = self.first_by_version.get(answer.model_version)
        if first is None or made_at < first:
            self.first_by_version[answer.model_version] = made_at

    def lost(self) -> list[str]:
        """Return the requests that have no answer and no refusal."""
        return [request for request in self.asked if request not in self.answered and request not in self.refused]

    def doubled(self) -> list[str]:
        """Return the requests that have more answers, refusals included, than they were asked times."""
        both = self.answered + self.refused
        return [request for request, count in both.items() if count > self.asked[request]]

    @property
    def open(self) -> int:
        """How many requests wait for their answer, by the counts (exact at the end, a moment old in between)."""
        return self.requests - self.responses
