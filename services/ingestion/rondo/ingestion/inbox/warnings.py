"""Says of files in the watched folder why they wait: once each, not at every look."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rondo.chassis.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

log = logging.getLogger(__name__)
_WAITS = (
    "it can't be read or put away ({}: {}): make it readable and its folder writable, it is tried again until it is"
)


class Waiting:
    """What was told of each file; it is told again when something else is the matter."""

    def __init__(self) -> None:
        self._told: dict[Path, str] = {}

    def tell(self, path: Path, error: Exception) -> None:
        """Say why a file waits."""
        said = str(error) if isinstance(error, UnavailableError) else _WAITS.format(error.__class__.__name__, error)
        if self._told.get(path) != said:
            self._told[path] = said
            log.warning("%s waits in the inbox: %s", path, said)

    def forget_all_but(self, paths: Container[Path]) -> None:
        """Forget the files that are gone."""
        self._told = {path: said for path, said in self._told.items() if path in paths}
