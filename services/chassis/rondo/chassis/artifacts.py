"""Content-addressed artifacts: `sha256/<hex>`, in a folder or in an object store.

A reader names a digest, never a path. Content that does not match its digest is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from rondo.chassis import object_store
from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ArtifactMissingError(LookupError):
    """No artifact has this digest."""

    code: ClassVar[str] = "artifact_missing"

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(f"there is no artifact {digest}: it was never stored, or the store was emptied; train again")


class ArtifactCorruptError(ValueError):
    """The stored bytes do not match the digest."""

    code: ClassVar[str] = "artifact_corrupt"

    def __init__(self, digest: str, found: str) -> None:
        self.digest, self.found = digest, found
        super().__init__(
            f"the artifact {digest} holds other bytes ({found}): it was damaged or replaced, and is refused"
        )


class ArtifactUnreadableError(UnavailableError):
    """The store can't read an artifact that may be in it: missing permission, broken disk, no answer.

    A repair can take days, so callers do their other work first.
    """

    def __init__(self, digest: str, location: str, error: Exception) -> None:
        super().__init__(
            f"the artifact {digest} in {location}",
            f"{object_store.reason(error)}: see that this service may read there, and that the disk or bucket is sound",
        )


def digest_of(content: bytes) -> str:
    """Return `sha256:` and the hex digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Artifacts:
    """A store of artifacts at `location`: a folder, or a URL such as `s3://bucket/prefix`."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._store: ObjectStore = from_url(location) if "://" in location else _folder(location)

    async def put(self, content: bytes) -> str:
        """Store an artifact and return its digest. Storing the same content again changes nothing.

        Raises:
            UnavailableError: the store can't be written, for example because a disk is full.

        """
        digest = digest_of(content)
        try:
            await self._store.put_async(_key(digest), content)
        except (BaseError, OSError) as error:
            raise UnavailableError(f"the artifact store {self._location}", object_store.reason(error)) from error
        return digest

    async def has(self, digest: str) -> bool:
        """Return whether there is an artifact, without reading it.

        Raises:
            UnavailableError: the store can't be read.

        """
        try:
            await self._store.head_async(_key(digest))
        except (NotFoundError, FileNotFoundError):
            return False
        except (BaseError, OSError) as error:
            raise UnavailableError(f"the artifact store {self._location}", object_store.reason(error)) from error
        return True

    async def delete(self, digest: str) -> None:
        """Remove an artifact, if there is one.

        Raises:
            UnavailableError: the store can't be written.

        """
        try:
            await self._store.delete_async(_key(digest))
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise UnavailableError(f"the artifact store {self._location}", object_store.reason(error)) from error

    async def get(self, digest: str) -> bytes:
        """Return an artifact, checked against its digest.

        Raises:
            ArtifactMissingError: there is no such artifact.
            ArtifactCorruptError: its bytes do not match the digest.
            ArtifactUnreadableError: the store or this artifact can't be read.

        """
        try:
            response = await self._store.get_async(_key(digest))
            content = bytes(await response.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            if object_store.bucket_is_missing(error):
                raise ArtifactUnreadableError(digest, self._location, error) from error
            raise ArtifactMissingError(digest) from None
        except (BaseError, OSError) as error:
            raise ArtifactUnreadableError(digest, self._location, error) from error
        found = await asyncio.to_thread(digest_of, content)
        if found != digest:
            raise ArtifactCorruptError(digest, found)
        return content


def _folder(location: str) -> LocalStore:
    Path(location).mkdir(parents=True, exist_ok=True)
    return LocalStore(location)


def _key(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ArtifactMissingError(digest)
    return digest.replace(":", "/")
