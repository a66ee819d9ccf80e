"""Kafka's jars: pinned, cached, fetched again when damaged."""

import errno
import functools
import http.server
import os
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rondo.embedded.errors import KafkaUnavailableError
from rondo.embedded.kafka import jar_cache, jar_lock, maven
from rondo.embedded.kafka.maven import DownloadMeter
from rondo.embedded.processes.ports import LOOPBACK, free_port

UNREACHABLE = f"http://{LOOPBACK}:9"


@pytest.fixture(scope="module")
def whole() -> Path:
    """The user's own cache, filled."""
    jar_cache.fetched()
    return jar_cache.cache_folder()


@pytest.fixture
def cache(whole: Path, tmp_path: Path) -> Path:
    """A copy of the cache, to damage."""
    return Path(shutil.copytree(whole, tmp_path / "cache"))


@pytest.fixture
def repository(whole: Path, tmp_path: Path) -> Iterator[str]:
    """A Maven repository on loopback."""
    root = tmp_path / "repository"
    for jar in jar_lock.pinned():
        (root / jar.path).parent.mkdir(parents=True, exist_ok=True)
        (root / jar.path).symlink_to(whole / jar.name)
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer((LOOPBACK, free_port()), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_a_whole_cache_needs_no_network(cache: Path) -> None:
    """A start with a full cache works offline."""
    lines: list[str] = []
    found = jar_cache.fetched(cache, lines.append, UNREACHABLE)
    assert [path.name for path in found] == [jar.name for jar in jar_lock.pinned()]
    assert lines == []


def test_an_empty_cache_is_filled_with_a_progress_report(tmp_path: Path, repository: str) -> None:
    """The first start reports the download and its progress."""
    lines: list[str] = []
    jar_cache.fetched(tmp_path / "new", lines.append, repository)
    assert lines[0] == "fetching Kafka: 46 files, 45 MB, once"
    assert lines[-1] == "fetching Kafka: 45 of 45 MB (100%)"
    percents = [int(line.rpartition("(")[2].removesuffix("%)")) for line in lines[1:]]
    assert percents == sorted(set(percents))
    assert len(percents) >= 10
    assert all(jar.is_whole_in(tmp_path / "new") for jar in jar_lock.pinned())


def test_bytes_downloaded_again_are_counted_once() -> None:
    """A connection that broke, and a second attempt."""
    lines: list[str] = []
    meter = DownloadMeter("fetching it", 2_000_000, lines.append)
    for count in (1_000_000, -1_000_000, 1_000_000, 1_000_000):
        meter.add(count)
    assert lines == ["fetching it: 1 of 2 MB (50%)", "fetching it: 2 of 2 MB (100%)"]


def test_a_connection_that_breaks_off_is_tried_again(whole: Path, tmp_path: Path, repository: str) -> None:
    """A part of a jar is not used, and the download is tried again."""
    jar, broken = jar_lock.pinned()[0], []

    class BreaksOffOnce(_Quiet):
        def do_GET(self) -> None:
            if broken:
                super().do_GET()
                return
            broken.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(jar.size))
            self.end_headers()
            self.wfile.write(b"half")

    handler = functools.partial(BreaksOffOnce, directory=str(tmp_path / "repository"))
    with http.server.ThreadingHTTPServer((LOOPBACK, free_port()), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        maven.fetch([jar], tmp_path / "cache", f"http://{LOOPBACK}:{server.server_port}", lambda _: None)
        server.shutdown()
    assert broken
    assert jar.is_whole_in(tmp_path / "cache")


def test_a_damaged_and_a_missing_jar_alone_are_fetched_again(cache: Path, repository: str) -> None:
    """A changed byte does not reach the broker."""
    damaged, missing = jar_lock.pinned()[:2]
    content = (cache / damaged.name).read_bytes()
    (cache / damaged.name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (cache / missing.name).unlink()
    lines: list[str] = []
    jar_cache.fetched(cache, lines.append, repository)
    assert lines[0].startswith("fetching Kafka: 2 files")
    assert damaged.is_whole_in(cache)
    assert missing.is_whole_in(cache)


@pytest.mark.slow
def test_two_first_starts_side_by_side_both_get_whole_jars(tmp_path: Path, repository: str) -> None:
    """Neither start sees a part of a jar of the other."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: jar_cache.fetched(tmp_path / "new", repository=repository), range(2)))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(jar.name for jar in jar_lock.pinned())


def test_an_unreachable_repository_is_one_line_with_the_ways_out(tmp_path: Path) -> None:
    """The message says what is wrong and what to do, without a traceback."""
    with pytest.raises(KafkaUnavailableError) as caught:
        jar_cache.fetched(tmp_path / "new", repository=UNREACHABLE)
    assert caught.value.reason == f"{UNREACHABLE}: [Errno {errno.ECONNREFUSED}] {os.strerror(errno.ECONNREFUSED)}"
    assert "\n" not in str(caught.value)
    assert re.findall("RONDO_KAFKA|`.*?`", str(caught.value)) == ["RONDO_KAFKA", "`docker compose up`"]


def test_a_jar_changed_on_the_way_is_refused(cache: Path, repository: str, tmp_path: Path) -> None:
    """The pinned digest decides, and not the repository."""
    first = jar_lock.pinned()[0]
    (cache / first.name).unlink()
    served = tmp_path / "repository" / first.path
    served.unlink()
    served.write_bytes(b"something else")
    with pytest.raises(KafkaUnavailableError) as raised:
        jar_cache.fetched(cache, repository=repository)
    assert first.sha256 in raised.value.reason


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, repository: str) -> None:
    """The message names the folder, and the variable for another folder."""
    (tmp_path / "file").touch()
    with pytest.raises(KafkaUnavailableError) as raised:
        jar_cache.fetched(tmp_path / "file" / "cache", repository=repository)
    assert str(tmp_path / "file" / "cache") in raised.value.reason
    assert "XDG_CACHE_HOME" in raised.value.reason


def test_a_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """RONDO_MAVEN replaces Maven Central."""
    monkeypatch.setenv("RONDO_MAVEN", "https://mirror.invalid/maven2")
    assert maven.default_repository() == "https://mirror.invalid/maven2"


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second clone uses the same cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert jar_cache.cache_folder() == tmp_path / "rondo" / "kafka-4.2.2"
