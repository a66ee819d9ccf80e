"""Processes the answers of serving. Each is written to a file, and its part is then done."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rondo.chassis.errors import UnavailableError, panics_as_errors
from rondo.chassis.kafka_records import place
from rondo.contracts.events import scores
from rondo.ingestion.errors import ScoringFailedError
from rondo.ingestion.scoring.coordinator import unexpected
from rondo.ingestion.scoring.jobs import table_of
from rondo.ingestion.scoring.part_answer import InvalidAnswerError, PartAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from confluent_kafka import Message

    from rondo.ingestion.scoring.coordinator import Coordinator
    from rondo.ingestion.scoring.delta_scores import DeltaScores
    from rondo.ingestion.scoring.store import ScoringJobs

log = logging.getLogger(__name__)
TOPICS = (scores.SCORES_MADE,)


@dataclass(frozen=True)
class Answers:
    """Implements `follower.State`: a finished part stays finished, and a repeated answer changes nothing."""

    skips: ClassVar[bool] = True

    jobs: ScoringJobs
    tables: DeltaScores
    coordinator: Coordinator

    async def load(self) -> Mapping[tuple[str, int], int]:
        found = await self.jobs.positions()
        return {(scores.SCORES_MADE, partition): offset for partition, offset in found.items()}

    async def advance(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self._take(message.value() or b"")
        if messages:
            await self.jobs.save_positions({each[1]: each[2] + 1 for each in map(place, messages)})

    async def _take(self, value: bytes) -> None:
        try:
            answer = PartAnswer.of(value)
        except InvalidAnswerError as error:
            log.warning("a message of %s is skipped: %s", scores.SCORES_MADE, error)
            return
        try:
            with panics_as_errors():
                await self._save(answer)
        except UnavailableError:
            raise
        except Exception as error:  # the boundary: otherwise the parts would be sent again until the job times out
            log.exception("an answer to part %d of scoring job %s is skipped", answer.about.part, answer.about.job)
            self.coordinator.failed(answer.about.job, unexpected(error))

    async def _save(self, answer: PartAnswer) -> None:
        about = answer.about
        wanted = await self.jobs.waits_for(about.job, about.part)
        if wanted is None:
            # A repeated answer, or an answer for an unknown job. The coordinator may have sent the part again before
            # its first answer arrived, or another process has saved it.
            self.coordinator.answered(about.job, about.part)
            return
        if problem := answer.misfit(wanted):
            log.warning("an answer to part %d of scoring job %s is skipped: %s", about.part, about.job, problem)
            return
        if about.error:
            self.coordinator.failed(about.job, ScoringFailedError(about.error, about.message))
            return
        written = await asyncio.to_thread(self.tables.write, table_of(wanted.request), about.part, answer)
        await self.jobs.save_written(about.job, written)
        self.coordinator.answered(about.job, about.part)
