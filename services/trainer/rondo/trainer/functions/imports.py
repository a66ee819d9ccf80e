"""Imports only the package that the digest of a function covers, and only the files that it covers."""

from __future__ import annotations

from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

_CACHE = "__pycache__"


class OnePackage:
    """Imports one package from a folder or a wheel, and nothing else in it: the digest covers only that package."""

    def __init__(self, name: str, path: str) -> None:
        self._name, self._path = name, path

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        return PathFinder.find_spec(fullname, [self._path]) if fullname == self._name else None


class UncachedLoader(SourceFileLoader):
    """Always compiles the source: the digest does not cover `__pycache__`, whose byte code may be from other code."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class UncachedFinder(FileFinder):
    def find_spec(self, fullname: str, target: Any = None) -> ModuleSpec | None:
        return None if fullname.rpartition(".")[2] == _CACHE else super().find_spec(fullname, target)


def finder_below(folder: str) -> Callable[[str], UncachedFinder]:
    """Return a path hook (PEP 302) for `folder` and the folders below. It comes first in `sys.path_hooks`."""

    def find(path: str) -> UncachedFinder:
        if not (Path(path).is_relative_to(folder) and Path(path).is_dir()):
            raise ImportError(f"{path} is no folder below {folder}")
        return UncachedFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (UncachedLoader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    return find
