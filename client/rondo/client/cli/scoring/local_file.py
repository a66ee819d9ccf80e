"""`rondo score --file`: sends a file to serving slice by slice, and writes the answers to one file.

The answers are kept next to the output, in `<output>.parts`, until all of them have arrived. The same command then
continues with the remaining slices. A rename makes the complete output visible at once.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import TypeAdapter

from rondo.client.cli import session
from rondo.client.cli.output import print_json, print_note, print_text
from rondo.client.cli.scoring import output
from rondo.client.cli.scoring import rows as row_slices
from rondo.client.cli.scoring.progress import JobProgress
from rondo.client.cli.scoring.rows import BAD, OUTPUTS, Slice, Version, opened
from rondo.client.errors import RefusedError, UnavailableError, UnreachableError
from rondo.contracts.events import scores
from rondo.contracts.spec.model import Feature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rondo.client.asynchronous import AsyncRondo

_FEATURES: TypeAdapter[dict[str, Feature]] = TypeAdapter(dict[str, Feature])
# The number of slices that are sent and not yet answered. Several replicas behind one address share them.
_AT_ONCE = 4
# Serving accepts 8 MiB.
_MOST_BYTES = 7 * 1024 * 1024
# Seconds of retries while serving is unavailable or has too many requests. Then the command fails, and the next run
# continues.
_LONGEST_OUTAGE, _PAUSE = 60.0, 0.5


def run(model: str, number: int, file: Path, out: Path, *, json: bool) -> int:
    """Score a file. Return the exit code."""
    if out.suffix.lower() not in OUTPUTS:
        raise RefusedError(
            f"{out.name} names no format: end it with one of {', '.join(OUTPUTS)}", code="unknown_format"
        )
    _require_new(out)
    scoring = session.run(lambda rondo: _score(rondo, model, number, file, out, json=json))
    if json:
        print_json(
            {"rows": scoring.rows, "refused": scoring.refused, "out": str(out), "digest": scoring.version.digest}
        )
    else:
        what = f"version {number} of {model}"
        print_text(f"{scoring.rows:,} rows scored by {what}, {scoring.refused:,} of them refused: {out}")
        print_note("`error` and `message` of a row say why it is refused") if scoring.refused else None
    return 0


def _require_new(out: Path) -> None:
    if out.exists():
        raise RefusedError(f"{out} is there already: remove it, or name another --out", code="exists")


@dataclass
class Scoring:
    """A file that is being scored. `parts` is the folder with the answers."""

    version: Version
    parts: Path
    total: int | None
    rows: int = 0
    refused: int = 0
    began: float = field(default_factory=time.monotonic)
    sent_rows: int = 0
    answered_at: float = field(default_factory=time.monotonic)

    def part(self, number: int) -> Path:
        return self.parts / f"part-{number:06}.arrow"

    def state(self) -> dict[str, Any]:
        """Return the progress in the form of ingestion's scoring jobs."""
        seconds = time.monotonic() - self.began
        rate = self.sent_rows / seconds if self.sent_rows and seconds else None
        left = self.total - self.rows if self.total is not None and rate else None
        return {
            "state": "running", "rows": self.total, "scored": self.rows, "rows_per_second": rate,
            "seconds_left": left / rate if left is not None and rate else None,
        }  # fmt: skip


async def _score(rondo: AsyncRondo, model: str, number: int, file: Path, out: Path, *, json: bool) -> Scoring:
    found = await rondo.signature(model, number)
    names = ("model", "model_version", "digest", "entity", "event_time", "time_zone")
    version = Version(**{name: found[name] for name in names}, features=_FEATURES.validate_python(found["features"]))
    about = _about(version, file)
    rows = await asyncio.to_thread(opened, file, version)
    scoring = Scoring(version, out.with_name(f"{out.name}.parts"), rows.total)
    with _locked(scoring.parts), JobProgress(json=json) as progress:
        _require_new(out)
        _begin(scoring.parts, about)
        slices, running = iter(rows.slices), set[asyncio.Task[None]]()
        while (each := await asyncio.to_thread(next, slices, None)) is not None:
            if _known(scoring, each):
                progress.show(scoring.state())
                continue
            if len(running) >= _AT_ONCE:
                running = await _wait_for_one(running)
            # Known slices are not sent, so the time that they take is not a time without an answer.
            if not running:
                scoring.answered_at = time.monotonic()
            running.add(asyncio.create_task(_answer(rondo, scoring, each, progress)))
        while running:
            running = await _wait_for_one(running)
        if _about(version, file) != about:
            what = f"{file} was changed while it was scored: remove {scoring.parts}"
            raise RefusedError(f"{what}, and run the same command again", code="file_changed")
        await asyncio.to_thread(output.write, out, list(_answers(scoring)))
        shutil.rmtree(scoring.parts)
    return scoring


@contextmanager
def _locked(parts: Path) -> Iterator[None]:
    """Create the folder of the answers, and lock it against other runs of the same command while the body runs.

    Raises:
        RefusedError: another run has locked the folder.

    """
    parts.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - there is none on Windows

    with (parts / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f"another command writes to {parts}: wait for its end, or name another --out"
            raise RefusedError(what, code="already_running") from None
        yield


def _about(version: Version, file: Path) -> dict[str, Any]:
    """Return the facts on which the answers depend."""
    stat = file.stat()
    return {
        "file": str(file.resolve()), "size": stat.st_size, "modified": stat.st_mtime_ns,
        "model": version.model, "version": version.model_version, "digest": version.digest,
        "slice_rows": row_slices.ROWS,
    }  # fmt: skip


def _begin(parts: Path, mine: Mapping[str, Any]) -> None:
    """Begin, or continue with the existing answers.

    Raises:
        RefusedError: the answers are those of another file or version, or of other slices.

    """
    about = parts / "about.json"
    if not about.exists():
        _write(about, jsonlib.dumps(mine).encode())
    elif not _same(about.read_bytes(), mine):
        what = f"{parts} has scores of another file, or by another version or release"
        raise RefusedError(f"{what}: remove it, or name another --out", code="other_parts")


def _same(found: bytes, mine: Mapping[str, Any]) -> bool:
    try:
        return bool(jsonlib.loads(found) == mine)
    except ValueError:
        return False  # a loss of power cut the file off


def _write(file: Path, content: bytes) -> None:
    written = file.with_name(f"{file.name}.writing")
    written.write_bytes(content)
    written.replace(file)


def _known(scoring: Scoring, each: Slice) -> bool:
    """Count a slice that has an answer from an earlier run. False for an answer that a loss of power cut off."""
    try:
        answer = scores.decode(scoring.part(each.number).read_bytes())
    except (FileNotFoundError, scores.InvalidScoreRequestError):
        return False
    if answer.column(scores.ROW).to_pylist() != list(range(each.first_row, each.first_row + len(each.rows))):
        return False
    _count(scoring, answer)
    return True


def _count(scoring: Scoring, answer: pa.RecordBatch) -> None:
    scoring.rows += len(answer)
    scoring.refused += len(answer) - answer.column(scores.ERROR).null_count


def _answers(scoring: Scoring) -> Iterator[Path]:
    yield from sorted(scoring.parts.glob("part-*.arrow"))


async def _wait_for_one(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait until one of the tasks ends, and return the others.

    If a task fails, wait for the others, which may succeed, and raise its error.
    """
    done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    errors = [error for task in done if (error := task.exception()) is not None]
    if errors:
        await asyncio.gather(*left, return_exceptions=True)
        raise errors[0]
    return left


async def _answer(rondo: AsyncRondo, scoring: Scoring, each: Slice, progress: JobProgress) -> None:
    answer = await _scored(rondo, scoring, each.number, each.first_row, each.rows)
    answer = await asyncio.to_thread(_with_errors, answer, each)
    _write(scoring.part(each.number), scores.encode(answer))
    _count(scoring, answer)
    scoring.sent_rows += len(answer)
    progress.show(scoring.state())


async def _scored(
    rondo: AsyncRondo, scoring: Scoring, number: int, first_row: int, rows: pa.RecordBatch
) -> pa.RecordBatch:
    """Return the answer to rows. Rows with too many bytes, or too much memory, are sent in halves."""
    about = scoring.version.request("file", number, first_row).metadata()
    message = await asyncio.to_thread(scores.encode, rows.replace_schema_metadata(about))
    if len(message) > _MOST_BYTES and len(rows) > 1:
        return await _in_halves(rondo, scoring, number, first_row, rows)
    while True:
        try:
            answer = await rondo.score_rows(message)
        except (UnavailableError, UnreachableError):
            if time.monotonic() - scoring.answered_at > _LONGEST_OUTAGE:
                raise
            await asyncio.sleep(_PAUSE)
        except RefusedError as error:
            if error.code != "too_large" or len(rows) == 1:
                raise
            return await _in_halves(rondo, scoring, number, first_row, rows)
        else:
            scoring.answered_at = time.monotonic()
            return scores.decode(answer)


async def _in_halves(
    rondo: AsyncRondo, scoring: Scoring, number: int, first_row: int, rows: pa.RecordBatch
) -> pa.RecordBatch:
    half = len(rows) // 2
    first = await _scored(rondo, scoring, number, first_row, rows.slice(0, half))
    second = await _scored(rondo, scoring, number, first_row + half, rows.slice(half))
    joined = pa.Table.from_batches([first, second.replace_schema_metadata(first.schema.metadata)])
    return joined.combine_chunks().to_batches()[0]


def _with_errors(answer: pa.RecordBatch, each: Slice) -> pa.RecordBatch:
    """Return an answer in which rows with `errors`, which could not be sent, have their error and no output."""
    if not each.errors:
        return answer
    replaced = {scores.ERROR: dict.fromkeys(each.errors, BAD), scores.MESSAGE: each.errors}
    nothing = dict.fromkeys(each.errors)
    kept = {scores.ROW, scores.ENTITY, scores.EVENT_TIME}
    columns = [
        column if name in kept else _with(column, replaced.get(name, nothing))
        for name, column in zip(answer.schema.names, answer.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=answer.schema)


def _with(column: pa.Array, values: Mapping[int, str | None]) -> pa.Array:
    """Return a column with new values in some rows."""
    return pa.array([values.get(row, old) for row, old in enumerate(column.to_pylist())], column.type)
