"""What is kept of scoring jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from rondo.contracts.events.scoring import ScoringEnded, ScoringRequested
    from rondo.ingestion.scoring.delta_scores import WrittenPart
    from rondo.ingestion.scoring.jobs import OpenPart, ScoringJob
    from rondo.ingestion.scoring.plan import Part


class JobRequests(Protocol):
    """A unit of work in which a job is requested."""

    async def state(self, job: str) -> str | None:
        """Return the state of a job, and lock it until the work ends. None if there is no such job."""
        ...

    async def queue(self, request: ScoringRequested) -> None:
        """Save a job as queued. The parts that it has, and the done ones, stay."""
        ...

    async def forget_parts(self, job: str) -> None:
        """Delete the parts of a job: it is planned again."""
        ...


class JobRun(Protocol):
    """A job that this process runs, and no other one until the run ends or is lost.

    It is lost, too, if it is not checked for a while, as that of a process that hangs.
    """

    @property
    def request(self) -> ScoringRequested: ...

    @property
    def attempt(self) -> str:
        """The attempt: another one for each request that lets the job go on after it failed."""
        ...

    async def check(self) -> None:
        """Check that no other process may run the job by now.

        Raises:
            UnavailableError: the run is lost.

        """
        ...

    async def end(self, event: ScoringEnded, *, forget_parts: bool = False) -> None:
        """Save how the job ended, and add the event to the outbox, in one transaction; unless it has ended.

        The same transaction deletes the parts if they are to be forgotten: the next attempt plans the job again.

        Raises:
            UnavailableError: the run is lost.

        """
        ...


class ScoringJobs(Protocol):
    """Jobs and their parts. A part is done once its scores are written."""

    def next(self, last: str = "") -> AbstractAsyncContextManager[JobRun | None]:
        """Start the job that was interrupted, or was requested first, and keep other processes from running jobs.

        The job `last` is taken where there is no other. None if there is none, or if another process runs one.
        """
        ...

    async def job(self, job: str) -> ScoringJob | None: ...

    async def planned(self, job: str) -> bool:
        """Return whether the parts of a job are saved."""
        ...

    async def save_plan(self, job: str, parts: Sequence[Part]) -> None:
        """Save the parts of a job, unless it has some."""
        ...

    async def remaining(self, job: str) -> list[Part]:
        """Return the parts that are not done, in their order."""
        ...

    async def waits_for(self, job: str, part: int) -> OpenPart | None:
        """Return a part. None if it is done, or there is no such one."""
        ...

    async def save_written(self, job: str, part: WrittenPart) -> None:
        """Save that a part is done, unless it was before."""
        ...

    async def written(self, job: str) -> list[WrittenPart]:
        """Return the parts of a job that are done, in their order."""
        ...

    async def reopen(self, job: str, parts: Sequence[int]) -> None:
        """Save that parts are not done: their files are lost."""
        ...

    async def positions(self) -> Mapping[int, int]:
        """Return the next offset of the answers by partition."""
        ...

    async def save_positions(self, positions: Mapping[int, int]) -> None: ...
