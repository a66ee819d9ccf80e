"""Describes failures of the data storage in one way for all callers."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deltalake.exceptions import DeltaError
from obstore.exceptions import BaseError as ObjectStoreError

from rondo.chassis import object_store
from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# No space is left, the quota is exceeded, or the file is larger than allowed.
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAX_TEXT = 300
# The messages of object_store. Messages of the kernel of delta-rs about a damaged log begin with the same word.
_OF_STORE = re.compile("os error|Generic (?!delta kernel)")


def storage_unavailable(error: Exception, location: object) -> UnavailableError:
    """Return the temporary error of a failed write below `location`. An operator can free space or mount the disk."""
    return UnavailableError("the data storage", describe(error, location))


@contextmanager
def translated(location: object) -> Iterator[None]:
    """Translate errors of the storage below `location` to UnavailableError. Other errors stay as they are."""
    try:
        yield
    except (OSError, DeltaError, ObjectStoreError) as error:
        if is_of_storage(error):
            raise storage_unavailable(error, location) from error
        raise


def is_of_storage(error: Exception) -> bool:
    """Return whether an error is a failure of the storage, and not of the request.

    delta-rs raises one of several classes for it. The message is that of object_store: it begins with `Generic`, or has
    the number of the system's error.
    """
    return not isinstance(error, DeltaError) or _OF_STORE.search(str(error)) is not None


def file_is_lost(error: OSError) -> bool:
    """Return whether the error means that a file of rows is missing or shorter than before.

    It does not mean that the storage is unavailable, because the log of the table was read before.
    """
    return isinstance(error, FileNotFoundError) or "Requested range was invalid" in str(error)


def describe(error: Exception, location: object) -> str:
    """Return the system's message, and what to do if space is missing."""
    text = object_store.reason(error)[:_MAX_TEXT]
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return f"{text}; free some space on the disk of {location}" if _lacks_space(error) else text


def _lacks_space(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NO_SPACE
    # delta-rs has the number only in its message.
    return any(f"os error {number})" in str(error) for number in _NO_SPACE)
