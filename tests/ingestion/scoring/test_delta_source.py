"""Data of a job: files that can't be read, rows that are too large for a message, parts in any order."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from rondo.contracts.events import scores
from rondo.contracts.events.scores import ScoreRequest
from rondo.contracts.spec.model import Feature
from rondo.ingestion.delta.location import Location
from rondo.ingestion.scoring.delta_source import DeltaSource

from tests.ingestion.scoring.stage import Stage, check, data, fill, requested
from tests.support.parameters import combinations

if TYPE_CHECKING:
    from pathlib import Path

    from rondo.ingestion.scoring.plan import Part

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.sampled(1)
@pytest.mark.medium
@pytest.mark.parametrize(
    ("damage", "planned"),
    combinations(["cut", "garbage", "empty", "missing", "flipped", "shorter"], [False, True]),
    ids=lambda each: {False: "at the plan", True: "between two parts"}.get(each, each),
)
async def test_data_that_can_not_be_read_fails_its_job_and_no_other(
    tmp_path: Path,
    damage: str,
    planned: bool,  # noqa: FBT001
) -> None:
    stage, request = Stage(str(tmp_path)), requested(0)
    rows = fill(str(tmp_path), 3_000)
    stage.jobs.request(request)
    if planned:
        await stage.jobs.save_plan(request.job, stage.coordinator.source.parts(request))
    [file] = (tmp_path / "datasets/flights").glob("*.parquet")
    whole = file.read_bytes()
    file.unlink()
    flipped = bytes(0xFF ^ byte if place % 7 == 0 else byte for place, byte in enumerate(whole[: len(whole) // 2]))
    shorter = io.BytesIO()
    pq.write_table(data(0, 10), shorter)
    contents = {
        "cut": whole[: len(whole) // 2], "garbage": b"x" * len(whole), "empty": b"", "shorter": shorter.getvalue(),
        "flipped": whole[:4] + flipped[4:] + whole[len(flipped) :],
    }  # fmt: skip
    if damage != "missing":
        file.write_bytes(contents[damage])
    await stage.coordinator.tick()
    [event] = stage.jobs.events
    assert (event.state, event.code) == ("failed", "data_unreadable")
    assert "restore its files and run the same command again, or score another version" in event.reason
    file.write_bytes(whole)
    stage.jobs.request(request)
    await stage.coordinator.tick()
    check(stage.scores(request), rows)


async def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int) -> tuple[Stage, Any]:
    """Run a job with a lower limit in `scores`. Return the stage and the only event."""
    fill(str(tmp_path), 120)
    stage = Stage(str(tmp_path))
    stage.jobs.request(requested(0))
    with monkeypatch.context() as context:
        context.setattr(scores, bound, most)
        await stage.coordinator.tick()
    [event] = stage.jobs.events
    return stage, event


async def test_rows_that_are_too_long_for_a_message_name_their_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, event = await bounded(tmp_path, monkeypatch, "MAX_MESSAGE_BYTES", 2_000)
    assert (event.state, event.code) == ("failed", "part_too_large")
    assert "shorten the values of event_time, which has most of them" in event.reason
    assert not await stage.jobs.planned(requested(0).job)


async def test_texts_that_expand_beyond_what_serving_takes_fail_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event = await bounded(tmp_path, monkeypatch, "MAX_TEXT_BYTES", 1)
    assert (event.state, event.code) == ("failed", "part_too_large")


async def test_rows_without_any_column_of_the_version_are_scored(tmp_path: Path) -> None:
    fill(str(tmp_path), 120)
    features = {"origin": Feature(type="category", optional=True), "wind": Feature(type="float", optional=True)}
    request = requested(0, features=features, entity="none", event_time="never")
    source = DeltaSource(Location(str(tmp_path)))
    sent = [
        ScoreRequest.of(rows.schema).first_row + len(rows) for _, rows in source.read(request, source.parts(request))
    ]
    assert sent == [50, 100, 120]


def test_parts_of_any_choice_are_read_as_they_lie_in_the_files(tmp_path: Path) -> None:
    fill(str(tmp_path), 333, 120)
    source, request = DeltaSource(Location(str(tmp_path))), requested(1)
    parts = source.parts(request)

    def entities(chosen: list[Part]) -> dict[int, list[str]]:
        return {part.number: rows.column("entity").to_pylist() for part, rows in source.read(request, chosen)}

    whole = entities(parts)
    assert sum(map(len, whole.values())) == 453
    for chosen in (parts[1::2], parts[5:6], parts[::-1]):
        assert entities(chosen) == {part.number: whole[part.number] for part in chosen}
    assert [len(whole[part.number]) for part in parts] == [part.rows for part in parts]
