"""Downloads pinned jars from a Maven repository in parallel, and verifies each before it goes into the cache."""

import concurrent.futures
import functools
import hashlib
import http.client
import os
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import certifi
from jgo.constants import MAVEN_CENTRAL_URL

from rondo.embedded.errors import DigestMismatchError, KafkaUnavailableError
from rondo.embedded.kafka.jar_lock import Jar
from rondo.embedded.progress import Progress

_ATTEMPTS = 3
_PARALLEL = 8
_TIMEOUT_SECONDS = 15
_CHUNK_BYTES = 256 * 1024
_WHAT = "fetching Kafka"
_PROGRESS_STEPS = 20
_NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


class DownloadMeter:
    """Reports the progress of a download after each twentieth of `total` bytes. Thread-safe."""

    def __init__(self, what: str, total: int, progress: Progress) -> None:
        self._what, self._total, self._progress = what, total, progress
        self._lock = threading.Lock()
        self._bytes = self._reported = 0

    def add(self, count: int) -> None:
        """Count received bytes. A negative number means bytes that are received again."""
        with self._lock:
            self._bytes += count
            step = _PROGRESS_STEPS * self._bytes // self._total
            if step > self._reported:
                self._reported = step
                percent, done, total = 100 * self._bytes // self._total, self._bytes / 1e6, self._total / 1e6
                self._progress(f"{self._what}: {done:.0f} of {total:.0f} MB ({percent}%)")


def default_repository() -> str:
    """Return the address in RONDO_MAVEN, for example that of a mirror, else that of Maven Central."""
    return os.environ.get("RONDO_MAVEN") or MAVEN_CENTRAL_URL


def fetch(jars: list[Jar], folder: Path, repository: str, progress: Progress) -> None:
    """Fetch the jars into `folder`.

    Raises:
        KafkaUnavailableError: the repository or the folder fails. The error names it, and the reason.

    """
    total = sum(jar.size for jar in jars)
    progress(f"{_WHAT}: {len(jars)} files, {total / 1e6:.0f} MB, once")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_in_parallel(jars, folder, repository, DownloadMeter(_WHAT, total, progress))
    except (*_NETWORK_ERRORS, DigestMismatchError) as error:
        reason = f"{repository}: {getattr(error, 'reason', error)}"
        raise KafkaUnavailableError(reason) from error
    except OSError as error:
        reason = f"{folder} can't be filled: {error.strerror}; XDG_CACHE_HOME names another"
        raise KafkaUnavailableError(reason) from error


def _fetch_in_parallel(jars: list[Jar], folder: Path, repository: str, meter: DownloadMeter) -> None:
    with concurrent.futures.ThreadPoolExecutor(_PARALLEL) as pool:
        # The largest first. Otherwise a large jar may be the only download left at the end.
        ordered = sorted(jars, key=lambda jar: jar.size, reverse=True)
        pending = [pool.submit(_fetch, jar, folder, repository, meter) for jar in ordered]
        try:
            for future in concurrent.futures.as_completed(pending):
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _fetch(jar: Jar, folder: Path, repository: str, meter: DownloadMeter) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _store(jar, folder, _download(f"{repository.rstrip('/')}/{jar.path}", meter))
        except (*_NETWORK_ERRORS, DigestMismatchError):
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _download(url: str, meter: DownloadMeter) -> bytes:
    content = bytearray()
    try:
        # The URL comes from this package's lock file and settings, never from a message.
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
    # When the response is read in chunks, a broken connection looks like its end.
    promised = answer.headers.get("content-length")
    if promised is not None and length < int(promised):
        raise http.client.IncompleteRead(b"", int(promised) - length)


def _store(jar: Jar, folder: Path, content: bytes) -> None:
    if (actual := hashlib.sha256(content).hexdigest()) != jar.sha256:
        raise DigestMismatchError(jar.name, jar.sha256, actual)
    # A temporary folder on the same disk, so that a full disk leaves no files behind, and the rename is atomic.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as private:
        part = Path(private) / jar.name
        part.write_bytes(content)
        part.replace(folder / jar.name)


@functools.cache
def _trust() -> ssl.SSLContext:
    # The system's authorities and SSL_CERT_FILE (for machines behind an inspecting proxy), and those of certifi for
    # Python installations without any.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
