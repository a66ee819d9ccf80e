"""What is said when the disk of the data does not take what is written: the same, whatever met it first."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

# No space left, the quota is used up, the file may not grow any further.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MOST = 300


def away(error: Exception, folder: Path) -> UnavailableError:
    """Return the failure of a write below `folder` as something that passes: room can be made, a disk mounted again."""
    return UnavailableError("the disk of the data", said(error, folder))


def said(error: Exception, folder: Path) -> str:
    """Return what the system said of a failed write, and what people can do where it is the room that lacks."""
    text = (str(error) or type(error).__name__).splitlines()[0][:_MOST]
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    return f"{text}; free some space on the disk of {folder}" if _lacks_room(error) else text


def _lacks_room(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NO_ROOM
    # delta-rs tells the number in its text, wrapped in whatever it was doing just then.
    return any(f"os error {number})" in str(error) for number in _NO_ROOM)
