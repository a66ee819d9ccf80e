"""Fetches pinned jars from a Maven repository, side by side, each checked before it takes its place."""

import concurrent.futures
import functools
import hashlib
import http.client
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import certifi
from jgo.constants import MAVEN_CENTRAL_URL

from rondo.embedded.errors import DigestMismatchError, KafkaUnavailableError
from rondo.embedded.kafka.download_meter import Meter
from rondo.embedded.kafka.jar_lock import Jar
from rondo.embedded.progress import Progress

_ATTEMPTS = 3
_PARALLEL = 8
_TIMEOUT_SECONDS = 15
_CHUNK_BYTES = 256 * 1024
_WHAT = "fetching Kafka"
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


def default_repository() -> str:
    """Return the address that RONDO_MAVEN names, for instance a mirror's, else Maven Central's."""
    return os.environ.get("RONDO_MAVEN") or MAVEN_CENTRAL_URL


def fetch(jars: list[Jar], folder: Path, repository: str, progress: Progress) -> None:
    """Fetch the jars into `folder`. Raises KafkaUnavailableError, which tells where and why."""
    total = sum(jar.size for jar in jars)
    progress(f"{_WHAT}: {len(jars)} files, {total / 1e6:.0f} MB, once")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_side_by_side(jars, folder, repository, Meter(_WHAT, total, progress))
    except (*_NETWORK_ERRORS, DigestMismatchError) as error:
        reason = f"{repository}: {getattr(error, 'reason', error)}"
        raise KafkaUnavailableError(reason) from error
    except OSError as error:
        reason = f"{folder} can't be filled: {error.strerror}; XDG_CACHE_HOME names another"
        raise KafkaUnavailableError(reason) from error


def _fetch_side_by_side(jars: list[Jar], folder: Path, repository: str, meter: Meter) -> None:
    with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
        # The largest first: otherwise the last one of them runs alone at the end.
        ordered = sorted(jars, key=lambda jar: jar.size, reverse=True)
        pending = [pool.submit(_fetch, jar, folder, repository, meter) for jar in ordered]
        try:
            for future in concurrent.futures.as_completed(pending):
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetch(jar: Jar, folder: Path, repository: str, meter: Meter) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _store(jar, folder, _download(f"{repository.rstrip('/')}/{jar.path}", meter))
        except (*_NETWORK_ERRORS, DigestMismatchError):
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _download(url: str, meter: Meter) -> bytes:
    content = bytearray()
    try:
        # Both come from this package's own lock file and settings, never from a message.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=_trust()) as answer:  # noqa: S310
            while chunk := answer.read(_CHUNK_BYTES):
                content += chunk
                meter.add(len(chunk))
            _check_whole(answer, len(content))
    except _NETWORK_ERRORS:
        meter.add(-len(content))
        raise
    return bytes(content)


def _check_whole(answer: http.client.HTTPResponse, length: int) -> None:
    # Read piece by piece, a connection that breaks off looks like an end.
    promised = answer.headers.get("content-length")
    if promised is not None and length < int(promised):
        raise http.client.IncompleteRead(b"", int(promised) - length)


def _store(jar: Jar, folder: Path, content: bytes) -> None:
    if (actual := hashlib.sha256(content).hexdigest()) != jar.sha256:
        raise DigestMismatchError(jar.name, jar.sha256, actual)
    # A folder of its own on the same disk: a full disk leaves nothing behind, and the rename is atomic.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as private:
        part = Path(private) / jar.name
        part.write_bytes(content)
        part.replace(folder / jar.name)


@functools.cache
def _trust() -> ssl.SSLContext:
    # The system's authorities and SSL_CERT_FILE (machines behind an inspecting proxy), and certifi's for those
    # Pythons that come without any.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
