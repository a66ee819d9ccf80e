"""Kafka's jars: pinned by digest, fetched once per user from the Maven repository, verified at every start.

`jars.lock` says which ones (`pin.py` writes it). Nothing is resolved at run time: that spares the twenty seconds
which a resolver needs to read some hundred POMs, and a changed jar is never run. Each jar lands in the cache by a
rename, so that two first starts side by side, or one interrupted, leave only whole files.
"""

import concurrent.futures
import functools
import hashlib
import http.client
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import certifi

from rondo.embedded.errors import DigestMismatchError, KafkaUnavailableError
from rondo.embedded.progress import Progress, silent

KAFKA_VERSION = "4.3.1"
_ATTEMPTS = 3
_PARALLEL = 8
_TIMEOUT_SECONDS = 15
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


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
        """The file's name, in the repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Where a Maven repository keeps it, relative to the repository's address."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"


def pinned() -> list[Jar]:
    """Read the lock file: one jar per line, `group:artifact:version size sha256`."""
    lines = resources.files("rondo.embedded").joinpath("jars.lock").read_text("ascii").splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return [Jar(*coordinates.split(":"), int(size), sha256) for coordinates, size, sha256 in rows]


def cache_folder() -> Path:
    """Return the folder of the user's cache that holds this version's jars."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rondo" / f"kafka-{KAFKA_VERSION}"


def is_whole(jar: Jar, folder: Path) -> bool:
    """Say whether the cached file is there and is, byte for byte, the pinned one."""
    path = folder / jar.name
    return path.is_file() and path.stat().st_size == jar.size and _digest(path.read_bytes()) == jar.sha256


def fetched(folder: Path | None = None, progress: Progress = silent, repository: str | None = None) -> list[Path]:
    """Return the paths of all jars, after fetching those that are missing or damaged.

    Without any of these the network is not touched. `repository` is a Maven repository's address; RONDO_MAVEN
    names a mirror, Maven Central is the default. Raises KafkaUnavailableError.
    """
    folder = folder or cache_folder()
    jars = pinned()
    if wanted := [jar for jar in jars if not is_whole(jar, folder)]:
        _fetch_all(wanted, folder, repository or _default_repository(), progress)
    return [folder / jar.name for jar in jars]


def _default_repository() -> str:
    # Imported only when something is missing: it takes longer than a warm start's whole check.
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415

    return os.environ.get("RONDO_MAVEN") or MAVEN_CENTRAL_URL


def _fetch_all(jars: list[Jar], folder: Path, repository: str, progress: Progress) -> None:
    total = sum(jar.size for jar in jars)
    progress(f"fetching Kafka {KAFKA_VERSION}: {len(jars)} files, {total / 1e6:.0f} MB, once")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_side_by_side(jars, folder, repository, progress)
    except (*_NETWORK_ERRORS, DigestMismatchError) as error:
        raise KafkaUnavailableError(f"{repository} was asked: {error}") from error
    except OSError as error:
        raise KafkaUnavailableError(f"{folder} can't be filled: {error.strerror}") from error


def _fetch_side_by_side(jars: list[Jar], folder: Path, repository: str, progress: Progress) -> None:
    done, total, shown = 0, sum(jar.size for jar in jars), 0
    with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
        # The largest first: otherwise the last one of them runs alone at the end.
        ordered = sorted(jars, key=lambda jar: jar.size, reverse=True)
        pending = {pool.submit(_fetch, jar, folder, repository): jar for jar in ordered}
        try:
            for future in concurrent.futures.as_completed(pending):
                future.result()
                done += pending[future].size
                if (quarter := 4 * done // total) > shown:
                    shown = quarter
                    progress(f"fetched {done / 1e6:.0f} of {total / 1e6:.0f} MB")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetch(jar: Jar, folder: Path, repository: str) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _store(jar, folder, _download(f"{repository.rstrip('/')}/{jar.path}"))
        except (*_NETWORK_ERRORS, DigestMismatchError):
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _download(url: str) -> bytes:
    # Both come from this package's own lock file and settings, never from a message.
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=_trust()) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def _store(jar: Jar, folder: Path, content: bytes) -> None:
    if (actual := _digest(content)) != jar.sha256:
        raise DigestMismatchError(jar.name, jar.sha256, actual)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{jar.name}.", delete=False) as part:
        part.write(content)
    Path(part.name).replace(folder / jar.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@functools.cache
def _trust() -> ssl.SSLContext:
    # The system's authorities and SSL_CERT_FILE (machines behind an inspecting proxy), and certifi's for those
    # Pythons that come without any.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
