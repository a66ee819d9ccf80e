"""A job is followed from a moment before ingestion knows it, through outages, to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rondo.client.errors import NotFoundError, UnavailableError
from rondo.client.scoring.job import followed

from tests.support.unknown_words import WORD

AT = datetime(2013, 3, 1, tzinfo=UTC)


class Ingestion:
    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def scoring_job(self, job: str) -> dict[str, Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"job": job} | answer


def state(name: str, at: datetime = AT) -> dict[str, Any]:
    ended = at.isoformat() if name in {"done", "failed", WORD} else None
    return {"state": name, "requested_at": at.isoformat(), "ended_at": ended}


async def follow(*answers: Any) -> list[str]:
    return [each["state"] async for each in followed(Ingestion(*answers), "a", AT, 0.001)]


async def test_a_job_is_awaited_until_ingestion_knows_it_and_through_outages() -> None:
    missing, away = NotFoundError("there is no job"), UnavailableError("ingestion", "it restarts")
    assert await follow(missing, missing, state("queued"), away, state("running"), state("done")) == [
        "queued", "running", "done",
    ]  # fmt: skip


async def test_a_failure_before_the_request_is_not_its_end() -> None:
    before = state("failed", AT - timedelta(hours=1))
    assert await follow(before, before, state("running"), state("failed")) == ["running", "failed"]
    done = state("done", AT - timedelta(hours=1))
    assert await follow(done) == ["done"]


async def test_a_job_in_an_unknown_state_is_followed_until_it_has_a_time_of_its_end() -> None:
    assert await follow(state(WORD) | {"ended_at": None}, state(WORD)) == [WORD, WORD]
    before = state(WORD, AT - timedelta(hours=1))
    assert await follow(before, state("running"), state("done")) == ["running", "done"]


async def test_unavailable_ingestion_is_an_error_at_the_start() -> None:
    with pytest.raises(UnavailableError):
        await follow(UnavailableError("ingestion", "it restarts"))
