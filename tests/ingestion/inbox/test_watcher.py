"""The watched folder: a failure of one file stops neither the others nor the service."""

from __future__ import annotations

import asyncio
import gzip
import os
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from polars.exceptions import PanicException
from rondo.chassis.errors import UnavailableError
from rondo.ingestion.batches.spool import Spool
from rondo.ingestion.inbox import watcher
from rondo.ingestion.inbox.watcher import InboxWatcher

from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rondo.ingestion.batches.submission import Submission


@pytest.fixture(autouse=True)
def _frequent_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scan the folder more often than in production, because the pause would take nearly all of the tests' time."""
    monkeypatch.setattr(watcher, "_SCAN_SECONDS", 0.02)


class FakeBatchService:
    """Accepts every batch, except for errors by batch id."""

    def __init__(self, errors: dict[str, BaseException]) -> None:
        self.errors = errors
        self.meanwhile: Callable[[Submission], Awaitable[None]] | None = None

    async def submit(self, submission: Submission) -> Any:
        """Accept, or fail. `meanwhile` is awaited first."""
        if self.meanwhile:
            await self.meanwhile(submission)
        if error := self.errors.get(submission.batch_id):
            raise error
        return SimpleNamespace(record=SimpleNamespace(status="accepted", headline={}))


@asynccontextmanager
async def watching(folder: Path, **errors: BaseException) -> AsyncIterator[FakeBatchService]:
    settings: Any = SimpleNamespace(inbox_settle_seconds=0.01, inbox_incomplete_seconds=0.02)
    spool, service = Spool(folder / "spool", 1000), FakeBatchService(errors)
    spool.clear()
    fake: Any = service
    task = asyncio.create_task(InboxWatcher(folder / "inbox", settings, fake, spool).run())
    yield service
    assert not task.done(), "the service lives"
    task.cancel()


def put(folder: Path, *names: str) -> Path:
    place = folder / "inbox" / "rides"
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / name).write_bytes(b"a,b\n1,2\n")
    return place


async def is_there(path: Path) -> bool:
    return path.exists()


def deny(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make a file unreadable. Returns a function that undoes it. Root may read all files, so `open` raises then."""
    if os.geteuid():
        path.chmod(0)
        return lambda: path.chmod(0o600)
    opened, denied = Path.open, {path}

    def guarded(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self in denied:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", guarded)
    return denied.clear


@pytest.mark.medium
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
async def test_an_unreadable_file_stays_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    place = put(tmp_path, name)
    allow = deny(place / name, monkeypatch)
    async with watching(tmp_path):
        await until(lambda: _logged(caplog))
        for later in ("b.csv", "c.csv"):
            put(tmp_path, later)
            await until(lambda later=later: is_there(place / "done" / later))  # type: ignore[misc]
        [record] = caplog.records
        assert "(PermissionError: [Errno 13] Permission denied" in record.message
        assert "readable" in record.message
        assert "disk" not in record.message
        allow()
        await until(lambda: is_there(place / "done" / name))


async def _logged(caplog: pytest.LogCaptureFixture) -> bool:
    return bool(caplog.records)


async def test_a_file_that_vanishes_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = put(tmp_path, "a.csv", "b.csv")
    opened = Path.open

    def taken_away(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self == place / "a.csv":
            self.unlink()
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", taken_away)
    async with watching(tmp_path):
        await until(lambda: is_there(place / "done" / "b.csv"))
    assert not (place / "a.csv").exists()
    assert not caplog.records


async def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    place = put(tmp_path, "a.csv")
    read: list[bytes] = []

    async def replace_the_first(submission: Submission) -> None:
        if not read:
            (place / "next.part").write_bytes(b"a,b\n3,4\n")
            (place / "next.part").rename(place / "a.csv")
        read.append(submission.file.path.read_bytes())

    async with watching(tmp_path) as service:
        service.meanwhile = replace_the_first
        await until(lambda: is_there(place / "done" / "a.csv"))
    assert read == [b"a,b\n1,2\n", b"a,b\n3,4\n"]
    assert (place / "done" / "a.csv").read_bytes() == b"a,b\n3,4\n"


async def test_folders_and_links_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = put(tmp_path, "z.csv")
    (place / "x.parquet").mkdir()
    (place / "y.parquet").symlink_to(place / "nowhere")
    (tmp_path / "inbox" / "stray.csv").write_bytes(b"x")
    async with watching(tmp_path):
        await until(lambda: is_there(place / "done" / "z.csv"))
    assert (place / "x.parquet").is_dir()
    assert (place / "y.parquet").is_symlink()
    assert not caplog.records


async def test_names_that_publish_takes_are_batches(tmp_path: Path) -> None:
    place = put(tmp_path, "B.CSV", "c.tsv")
    (place / "a.b.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    seen: dict[str, tuple[str, bytes]] = {}

    async def note(submission: Submission) -> None:
        seen[submission.batch_id] = (submission.file_format, await asyncio.to_thread(submission.file.path.read_bytes))

    async with watching(tmp_path) as service:
        service.meanwhile = note
        for name in ("B.CSV", "c.tsv", "a.b.csv.gz"):
            await until(lambda name=name: is_there(place / "done" / name))
    assert seen == dict.fromkeys(("B", "c", "a.b"), ("CSV", b"a,b\n1,2\n"))


@pytest.mark.parametrize(("name", "suffix"), [("a.txt.gz", ".txt"), ("a.TXT", ".txt"), ("a.gz", ".gz")])
async def test_the_reason_names_the_suffix_of_the_format(tmp_path: Path, name: str, suffix: str) -> None:
    place = put(tmp_path, name)
    async with watching(tmp_path):
        await until(lambda: is_there(place / "rejected" / name))
    assert repr(suffix) in (place / "rejected" / f"{name}.reason.txt").read_text()


async def test_an_unexpected_error_rejects_the_file_with_its_reason(tmp_path: Path) -> None:
    place = put(tmp_path, "a.csv", "b.csv")
    async with watching(tmp_path, a=RuntimeError("what is this")):
        await until(lambda: is_there(place / "done" / "b.csv"))
    assert (place / "rejected" / "a.csv").exists()
    assert "RuntimeError: what is this" in (place / "rejected" / "a.csv.reason.txt").read_text()


async def test_a_panic_of_a_library_rejects_the_file_and_the_next_is_processed(tmp_path: Path) -> None:
    place = put(tmp_path, "a.csv", "b.csv")
    async with watching(tmp_path, a=PanicException("not yet implemented")):
        await until(lambda: is_there(place / "done" / "b.csv"))
    assert "not yet implemented" in (place / "rejected" / "a.csv.reason.txt").read_text()


async def test_a_file_that_cannot_be_moved_is_logged_and_retried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = put(tmp_path, "a.csv")
    (place / "done").symlink_to(place / "nowhere")
    async with watching(tmp_path):
        await until(lambda: _logged(caplog))
        assert "(FileExistsError" in caplog.records[0].message
        (place / "done").unlink()
        await until(lambda: is_there(place / "done" / "a.csv"))


async def test_while_postgresql_is_unavailable_a_file_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = put(tmp_path, "a.csv", "b.csv")
    error = UnavailableError("PostgreSQL", "gone")
    async with watching(tmp_path, a=error) as service:
        await until(lambda: is_there(place / "done" / "b.csv"))
        assert str(error) in caplog.records[0].message
        service.errors.clear()
        await until(lambda: is_there(place / "done" / "a.csv"))
