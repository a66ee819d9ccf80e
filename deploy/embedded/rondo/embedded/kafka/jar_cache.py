"""Kafka's jars: pinned by digest, fetched once per user from the Maven repository, verified at every start.

`jars.lock` says which ones (`pin_jars.py` writes it). Nothing is resolved at run time: that spares the twenty seconds
which a resolver needs to read some hundred POMs, and a changed jar is never run. Each jar lands in the cache by a
rename, so that two first starts side by side, or one interrupted, leave only whole files.
"""

import os
from pathlib import Path

from rondo.embedded.kafka.jar_lock import KAFKA_VERSION, pinned
from rondo.embedded.progress import Progress, silent


def cache_folder() -> Path:
    """Return the folder of the user's cache that holds this version's jars."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rondo" / f"kafka-{KAFKA_VERSION}"


def fetched(folder: Path | None = None, progress: Progress = silent, repository: str | None = None) -> list[Path]:
    """Return the paths of all jars, after fetching those that are missing or damaged.

    Without any of these the network is not touched. `repository` is a Maven repository's address; RONDO_MAVEN
    names a mirror, Maven Central is the default. Raises KafkaUnavailableError.
    """
    folder = folder or cache_folder()
    jars = pinned()
    if wanted := [jar for jar in jars if not jar.is_whole_in(folder)]:
        # Imported only when something is missing: a warm start needs no network and does not pay for it.
        from rondo.embedded.kafka.maven import default_repository, fetch  # noqa: PLC0415

        fetch(wanted, folder, repository or default_repository(), progress)
    return [folder / jar.name for jar in jars]
