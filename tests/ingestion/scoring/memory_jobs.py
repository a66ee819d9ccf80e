"""Scoring jobs in memory, for decisions and crashes without PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError
from rondo.contracts.vocabularies import ScoringState
from rondo.ingestion.scoring.jobs import OpenPart, ScoringJob, starts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from rondo.contracts.events.scoring import ScoringEnded, ScoringRequested
    from rondo.ingestion.scoring.delta_scores import WrittenPart
    from rondo.ingestion.scoring.plan import Part


@dataclass
class MemoryRun:
    """Implements `store.JobRun`."""

    request: ScoringRequested
    attempt: str
    jobs: MemoryJobs

    async def check(self) -> None:
        if self.jobs.lost:
            raise UnavailableError("PostgreSQL", "it ended the session")

    async def end(self, event: ScoringEnded, *, forget_parts: bool = False) -> None:
        await self.check()
        self.jobs.events.append(event)
        if forget_parts:
            self.jobs.parts.pop(event.job, None)
            self.jobs.done = {key: part for key, part in self.jobs.done.items() if key[0] != event.job}
        self.jobs.requests[event.job] = replace(
            self.jobs.requests[event.job], state=event.state, scores=event.scores, code=event.code, reason=event.reason
        )


@dataclass
class MemoryJobs:
    """Implements `store.ScoringJobs`."""

    requests: dict[str, ScoringJob] = field(default_factory=dict)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    done: dict[tuple[str, int], WrittenPart] = field(default_factory=dict)
    events: list[ScoringEnded] = field(default_factory=list)
    read: dict[int, int] = field(default_factory=dict)
    lost: bool = False
    attempts: dict[str, int] = field(default_factory=dict)

    def request(self, request: ScoringRequested) -> None:
        known = self.requests.get(request.job)
        if starts(known.state if known else None):
            self.attempts[request.job] = self.attempts.get(request.job, 0) + 1
            self.requests[request.job] = ScoringJob(request, ScoringState.QUEUED)

    @asynccontextmanager
    async def next(self, last: str = "") -> AsyncIterator[MemoryRun | None]:
        waiting = [job for job in self.requests.values() if job.state in {ScoringState.QUEUED, ScoringState.RUNNING}]
        waiting.sort(key=lambda job: job.request.job == last)
        if waiting:
            self.requests[waiting[0].request.job] = replace(waiting[0], state=ScoringState.RUNNING)
        yield MemoryRun(waiting[0].request, self.attempt(waiting[0].request.job), self) if waiting else None

    async def job(self, job: str) -> ScoringJob | None:
        written = [each for (name, _), each in self.done.items() if name == job]
        scored, refused = sum(each.rows for each in written), sum(each.refused for each in written)
        if (found := self.requests.get(job)) is None:
            return None
        rows = sum(part.rows for part in self.parts[job]) if job in self.parts else found.rows
        return replace(found, rows=rows, scored=scored, refused=refused)

    async def planned(self, job: str) -> bool:
        return job in self.parts

    async def save_plan(self, job: str, parts: Sequence[Part]) -> None:
        self.parts[job] = list(parts)

    async def remaining(self, job: str) -> list[Part]:
        return [part for part in self.parts[job] if (job, part.number) not in self.done]

    async def waits_for(self, job: str, part: int) -> OpenPart | None:
        known = job in self.parts and part < len(self.parts[job]) and (job, part) not in self.done
        return OpenPart(self.requests[job].request, self.parts[job][part], self.attempt(job)) if known else None

    def attempt(self, job: str) -> str:
        return str(self.attempts[job])

    async def reopen(self, job: str, parts: Sequence[int]) -> None:
        for part in parts:
            del self.done[job, part]

    async def save_written(self, job: str, part: WrittenPart) -> None:
        self.done.setdefault((job, part.number), part)

    async def written(self, job: str) -> list[WrittenPart]:
        return [self.done[job, part.number] for part in self.parts[job]]

    async def positions(self) -> Mapping[int, int]:
        return self.read

    async def save_positions(self, positions: Mapping[int, int]) -> None:
        self.read.update(positions)


@dataclass
class MemoryRequests:
    """Implements `store.JobRequests`."""

    jobs: MemoryJobs

    async def state(self, job: str) -> str | None:
        known = self.jobs.requests.get(job)
        return known.state if known else None

    async def queue(self, request: ScoringRequested) -> None:
        self.jobs.requests.pop(request.job, None)
        self.jobs.request(request)

    async def forget_parts(self, job: str) -> None:
        del self.jobs.parts[job]
