"""Kafka's jars: pinned by digest, fetched once per user from a Maven repository, verified at every start.

`jars.lock` lists them (`pin_jars.py` writes it). Nothing is resolved at run time, because a resolver takes twenty
seconds to read a hundred POMs. The digests ensure that a changed jar never runs. Each jar is renamed into the cache
when it is complete, so that concurrent or interrupted first starts leave only complete files.
"""

import os
from pathlib import Path

from rondo.embedded.kafka.jar_lock import KAFKA_VERSION, pinned
from rondo.embedded.progress import Progress, silent


def cache_folder() -> Path:
    """Return the folder in the user's cache for the jars of this version."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rondo" / f"kafka-{KAFKA_VERSION}"


def fetched(folder: Path | None = None, progress: Progress = silent, repository: str | None = None) -> list[Path]:
    """Return the paths of all jars, after fetching those that are missing or damaged.

    If all jars are valid, the network is not used. `repository` is the address of a Maven repository. The default is
    RONDO_MAVEN, else Maven Central.

    Raises:
        KafkaUnavailableError: a jar can't be fetched.

    """
    folder = folder or cache_folder()
    jars = pinned()
    if wanted := [jar for jar in jars if not jar.is_whole_in(folder)]:
        # Imported only if a jar is missing, because the import of the network modules delays a start.
        from rondo.embedded.kafka import maven  # noqa: PLC0415

        maven.fetch(wanted, folder, repository or maven.default_repository(), progress)
    return [folder / jar.name for jar in jars]
