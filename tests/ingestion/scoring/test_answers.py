"""The effect of answers on a job: early ones, late ones, and messages that are no answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pyarrow as pa
import pytest
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest

from tests.ingestion.scoring.stage import Stage, check, fill, requested

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("small_parts")


async def test_an_answer_that_arrives_while_its_part_is_sent_again_ends_the_wait(tmp_path: Path) -> None:
    """Otherwise the job would wait for the part until `silence`, which is longer than the test may take."""
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path), silence=3600), requested(0)
    stage.jobs.request(request)
    source, early = stage.coordinator.source, [True]

    async def send(value: bytes, key: str) -> None:
        if early and early.pop():
            # That of a process before: it comes after the look for parts without scores, and before the part is sent.
            [(_, sent)] = source.read(request, (await stage.jobs.remaining(request.job))[1:2])
            await stage.answers.advance([Mock(**stage.message(scores.encode(sent)))])
        await stage.send(value, key)

    stage.coordinator.send = send
    async with asyncio.timeout(30):
        await stage.coordinator.tick()
    check(stage.scores(request), rows)


async def test_a_late_answer_to_a_failed_attempt_does_not_fail_the_next_one(tmp_path: Path) -> None:
    rows = fill(str(tmp_path), 120)
    stage, request = Stage(str(tmp_path)), requested(0)
    stage.jobs.request(request)
    whole, values = stage.message, list[bytes]()

    def refused(value: bytes) -> dict[str, Any]:
        values.append(value)
        about = ScoreRequest.of(scores.decode(value).schema).answer_metadata()
        failed = pa.schema([], metadata=about | {"error": "version_refused", "message": "it is lost"})
        return whole(value) | {"value.return_value": scores.encode(pa.RecordBatch.from_pylist([], schema=failed))}

    stage.message = refused  # type: ignore[method-assign]
    await stage.coordinator.tick()
    late = Mock(**refused(values[0]))

    async def send(value: bytes, key: str) -> None:
        assert ScoreRequest.of(scores.decode(value).schema).attempt == "2"
        await stage.answers.advance([late])
        await stage.send(value, key)

    stage.message, stage.coordinator.send = whole, send  # type: ignore[method-assign]
    stage.jobs.request(request)
    await stage.coordinator.tick()
    assert [event.state for event in stage.jobs.events] == ["failed", "done"]
    check(stage.scores(request), rows)


def changed(value: bytes, how: str) -> bytes:
    """Return an answer that does not fit its part."""
    rows = scores.decode(value)
    about: dict[bytes, bytes] = dict(rows.schema.metadata)
    match how:
        case "no metadata":
            about = {}
        case "fewer rows":
            rows = rows.slice(0, 3)
        case "other rows":
            rows = rows.set_column(0, "row", pa.array(range(1, len(rows) + 1)))
        case "no errors":
            rows = rows.drop_columns(["error"])
        case "a struct":
            rows = rows.append_column("more", pa.array([{"a": 1}] * len(rows)))
        case _:
            name, _, text = how.partition("=")
            about = (
                about | {name.encode(): text.encode()}
                if text
                else {k: v for k, v in about.items() if k != name.encode()}
            )
    return scores.encode(rows.replace_schema_metadata(about))


@pytest.mark.sampled(4)
@pytest.mark.medium
@pytest.mark.parametrize(
    "how",
    ["no metadata", "fewer rows", "other rows", "no errors", "a struct", "model_version", "model_version=8",
     "digest=sha256:" + "0" * 64, "digest=x", "first_row=1", "part=-1", "part=2147483648", "part=x", "job=\0",
     "job=other", "nothing"],
)  # fmt: skip
async def test_what_is_no_answer_to_a_part_is_skipped(tmp_path: Path, how: str) -> None:
    rows = fill(str(tmp_path), 60)
    stage, request = Stage(str(tmp_path), silence=0.1), requested(0)
    stage.jobs.request(request)
    whole, skipped = stage.message, 0

    def once(value: bytes) -> dict[str, Any]:
        nonlocal skipped
        made = whole(value)
        if len(stage.sent) > 1:
            return made
        skipped += 1
        return made | {"value.return_value": changed(made["value.return_value"], how)}

    stage.message = once  # type: ignore[method-assign]
    await stage.coordinator.tick()
    check(stage.scores(request), rows)
    assert (stage.sent, skipped) == ([0, 1, 0] if how != "nothing" else [0, 1], 1)
    assert stage.jobs.read == {0: 4 if how != "nothing" else 3}
