"""The list of Kafka's jars: `jars.lock`, written by `pin_jars.py`."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

# The versions 4.3.0 to 4.4.0 do not qualify: after a crash such a broker treats a transaction as complete although it
# has not written its markers (KAFKA-20734). See docs/decisions/0014-kafka-4-2.md.
KAFKA_VERSION = "4.2.2"


@dataclass(frozen=True)
class Jar:
    """One pinned jar: Maven coordinates, size in bytes, sha256."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file name, in the repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """The path in a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

    def is_whole_in(self, folder: Path) -> bool:
        """Return whether the folder has the jar with the pinned digest."""
        path = folder / self.name
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def pinned() -> list[Jar]:
    """Parse the lock file, which has one jar per line, as `group:artifact:version size sha256`."""
    lines = resources.files("rondo.embedded.kafka").joinpath("jars.lock").read_text("ascii").splitlines()
    return [_parse(line) for line in lines if not line.startswith("#")]


def _parse(line: str) -> Jar:
    coordinates, size, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, int(size), sha256)
