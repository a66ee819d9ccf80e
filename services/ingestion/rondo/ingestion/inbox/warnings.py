"""Logs why a file of the watched folder is not processed: once per reason, not at every scan."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

log = logging.getLogger(__name__)
_UNREADABLE = "it can't be read or moved ({}: {}): make the file readable and its folder writable; it is retried"


class FileWarnings:
    """The last warning of each file. A file is logged again only when its reason changes."""

    def __init__(self) -> None:
        self._last: dict[Path, str] = {}

    def warn(self, path: Path, error: Exception) -> None:
        """Log why a file stays in the inbox, unless its last warning is the same."""
        reason = str(error) if isinstance(error, UnavailableError) else _UNREADABLE.format(type(error).__name__, error)
        if self._last.get(path) != reason:
            self._last[path] = reason
            log.warning("%s stays in the inbox: %s", path, reason)

    def retain(self, paths: Container[Path]) -> None:
        """Drop the warnings of files that are no longer there."""
        self._last = {path: reason for path, reason in self._last.items() if path in paths}
