"""The root of the tables: a folder, or the URL of an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from obstore.exceptions import NotFoundError
from obstore.store import LocalStore, from_url

from rondo.contracts.locations import local_folder

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Location:
    """The root of the tables. Environment variables such as `AWS_REGION` configure an object store."""

    def __init__(self, root: str) -> None:
        self._folder = local_folder(root)
        self._root = str(self._folder) if self._folder is not None else root.rstrip("/")
        self._store: ObjectStore | None = None

    def __str__(self) -> str:
        return self._root

    def uri(self, name: str) -> str:
        """Return the path or URL of a table."""
        return f"{self._root}/{name}"

    def create(self, name: str) -> None:
        """Create the folder of a table. An object store has no folders."""
        if self._folder is not None:
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def put(self, path: str, content: bytes) -> None:
        """Write a file. A file of the same name is replaced."""
        self._opened().put(path, content)

    def get(self, path: str) -> bytes:
        return bytes(self._opened().get(path).bytes())

    def names(self, folder: str) -> list[str]:
        """Return the names of the nonempty folders in a folder."""
        try:
            found = self._opened().list_with_delimiter(folder)["common_prefixes"]
        except (NotFoundError, FileNotFoundError):
            return []
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found)

    def sizes(self, folder: str, after: str = "") -> dict[str, int]:
        """Return the sizes in bytes of the files below a folder, by relative path.

        With `after`, only files whose path comes later in lexicographic order.
        """
        offset = f"{folder}/{after}" if after else None
        try:
            found = [each for chunk in self._opened().list(folder, offset=offset) for each in chunk]
        except (NotFoundError, FileNotFoundError):
            return {}
        return {each["path"].removeprefix(f"{folder}/"): each["size"] for each in found}

    def _opened(self) -> ObjectStore:
        if self._store is None:
            self._store = from_url(self._root) if self._folder is None else LocalStore(self._folder, mkdir=True)
        return self._store
