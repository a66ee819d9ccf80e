"""The location of data: a path or a `file://` URL of a folder, or the URL of an object store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from pydantic import AfterValidator, Field

# delta-rs decodes `%` twice, ends the path at `#` and `?`, reads `\` as `/`, and panics at the other characters.
UNUSABLE = "%#?[]|^\\"
# In an object store `%` is allowed. The part after `#` or `?` is cut off, so all tables of a root would be the same
# table.
UNUSABLE_IN_URLS = UNUSABLE.replace("%", "")


class UnusableFolderError(ValueError):
    """Delta tables can't be kept in a folder, or under a URL, with this name."""

    code: ClassVar[str] = "unusable_folder"

    def __init__(self, folder: Path | str, characters: str, unusable: str = UNUSABLE) -> None:
        self.folder, self.characters = folder, characters
        super().__init__(
            f"Delta tables can't be kept in {folder}: its path contains {' '.join(characters)}; "
            f"choose a folder whose path has none of {' '.join(unusable)}"
        )


def local_folder(location: str) -> Path | None:
    """Return the folder of a path or a `file://` URL. None for an object store."""
    if "://" not in location:
        return Path(location)
    url = urlsplit(location)
    return Path(url2pathname(url.path)) if url.scheme == "file" else None


def unusable_characters(folder: Path) -> str:
    """Return the characters in the path of `folder` that Delta tables do not support."""
    return "".join(each for each in UNUSABLE if each in str(folder))


def _checked(location: str) -> str:
    folder = local_folder(location)
    if folder is None:
        if found := "".join(each for each in UNUSABLE_IN_URLS if each in unquote(location)):
            raise UnusableFolderError(location, found, UNUSABLE_IN_URLS)
    elif found := unusable_characters(folder.absolute()):
        raise UnusableFolderError(folder.absolute(), found)
    return location


TableRoot = Annotated[str, Field(min_length=1), AfterValidator(_checked)]
