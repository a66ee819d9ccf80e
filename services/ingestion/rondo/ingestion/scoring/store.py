"""The port of the storage of scoring jobs."""

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
        """Save a job as queued. Its parts stay, including finished ones."""
        ...

    async def forget_parts(self, job: str) -> None:
        """Delete the parts of a job, so that it is planned again."""
        ...


class JobRun(Protocol):
    """A run of a job. No other process runs the job until the run ends or is lost.

    A run is also lost if it is not checked for a while, for example because its process hangs.
    """

    @property
    def request(self) -> ScoringRequested: ...

    @property
    def attempt(self) -> str:
        """The id of the attempt. Each request that continues a failed job makes a new one."""
        ...

    async def check(self) -> None:
        """Check that no other process may run the job.

        Raises:
            UnavailableError: the run is lost.

        """
        ...

    async def end(self, event: ScoringEnded, *, forget_parts: bool = False) -> None:
        """Save the end of the job, and add the event to the outbox, in one transaction. An ended job stays as it is.

        With `forget_parts` the same transaction deletes the parts, so that the next attempt plans the job again.

        Raises:
            UnavailableError: the run is lost.

        """
        ...


class ScoringJobs(Protocol):
    """Jobs and their parts. A part is done once its scores are written."""

    def next(self, last: str = "") -> AbstractAsyncContextManager[JobRun | None]:
        """Start the interrupted or oldest requested job, and keep other processes from running jobs.

        The job `last` is taken only if there is no other. None if there is no job, or if another process runs one.
        """
        ...

    async def job(self, job: str) -> ScoringJob | None: ...

    async def planned(self, job: str) -> bool:
        """Return whether the parts of a job are saved."""
        ...

    async def save_plan(self, job: str, parts: Sequence[Part]) -> None:
        """Save the parts of a job, unless it already has parts."""
        ...

    async def remaining(self, job: str) -> list[Part]:
        """Return the parts that are not done, in their order."""
        ...

    async def waits_for(self, job: str, part: int) -> OpenPart | None:
        """Return a part. None if it is done, or does not exist."""
        ...

    async def save_written(self, job: str, part: WrittenPart) -> None:
        """Save that a part is done, unless it already is."""
        ...

    async def written(self, job: str) -> list[WrittenPart]:
        """Return the finished parts of a job, in their order."""
        ...

    async def reopen(self, job: str, parts: Sequence[int]) -> None:
        """Save that parts are not done, because their files are lost."""
        ...

    async def positions(self) -> Mapping[int, int]:
        """Return the next offset of the answers by partition."""
        ...

    async def save_positions(self, positions: Mapping[int, int]) -> None: ...
