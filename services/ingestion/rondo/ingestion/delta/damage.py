"""Finds damage in the log of a Delta table.

If delta-rs can't decode a file of the log, its error does not name the file. It takes an empty file, which a power cut
may leave, for a commit without changes, so its rows would be missing without an error.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deltalake.exceptions import DeltaError

from rondo.ingestion.delta import storage_errors
from rondo.ingestion.errors import TableDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rondo.ingestion.delta.location import Location

_COMMIT = re.compile(r"(\d{20})\.json")
# delta-rs writes a checkpoint after this many commits. It does not read files before the last checkpoint.
_CHECKPOINT_EVERY = 100


@contextmanager
def as_errors(root: Location, table: str) -> Iterator[None]:
    """Translate errors of delta-rs while it reads a log to TableDamagedError, unless the storage is unavailable.

    Raises:
        TableDamagedError: files of the log are damaged or lost.

    """
    try:
        yield
    except DeltaError as error:
        if storage_errors.is_of_storage(error):
            raise
        why = undecodable_commit(root, table) or storage_errors.describe(error, root)
        raise TableDamagedError(table, why) from error


def lost_commit(root: Location, table: str, version: int) -> str | None:
    """Return the damage of the newest commits up to `version` that delta-rs does not report: an empty file, or None.

    Raises:
        OSError, ObjectStoreError: the storage can't be read.

    """
    sizes = _newest(root, table, version)
    return next((f"{_path(name)} is empty" for name, size in sizes.items() if not size), None)


def undecodable_commit(root: Location, table: str) -> str | None:
    """Return which of the newest commits is empty, missing or no lines of JSON. None if all are intact.

    Raises:
        OSError, ObjectStoreError: the storage can't be read.

    """
    names = [name for name in sorted(root.sizes(f"{table}/_delta_log")) if _COMMIT.fullmatch(name)]
    expected = None
    for name in names[-_CHECKPOINT_EVERY:]:
        number = int(name.removesuffix(".json"))
        if expected is not None and number != expected:
            return f"{_path(_file(expected))} is missing"
        expected = number + 1
        if (problem := _problem(root.get(f"{table}/{_path(name)}"))) is not None:
            return f"{_path(name)} {problem}"
    return None


def _newest(root: Location, table: str, version: int) -> dict[str, int]:
    sizes = root.sizes(f"{table}/_delta_log", after=_file(max(version - _CHECKPOINT_EVERY, 0))[:-1])
    return {name: size for name, size in sizes.items() if _COMMIT.fullmatch(name)}


def _problem(content: bytes) -> str | None:
    if not content:
        return "is empty"
    try:
        for line in content.splitlines():
            json.loads(line)
    except ValueError:
        return "is not what was written"
    return None


def _file(version: int) -> str:
    return f"{version:020}.json"


def _path(name: str) -> str:
    return f"_delta_log/{name}"
