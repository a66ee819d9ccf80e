"""Finds the package of a function in the folder RONDO_FUNCTIONS, and its digest.

A package is a folder, a single module, or a wheel with only Python code. Nothing is imported here.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from typing import TYPE_CHECKING

from rondo.trainer.functions.errors import (
    FunctionsNotSetError,
    PackageMissingError,
    SeveralPackagesError,
    UnusableWheelError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PURE = "-none-any.whl"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Package:
    """The top-level package `name`. `path` is its folder, module or wheel."""

    name: str
    path: Path

    @property
    def import_from(self) -> Path:
        """The entry of `sys.path` from which the package can be imported."""
        return self.path if self.path.suffix == ".whl" else self.path.parent

    def digest(self) -> str:
        """Return `sha256:` and the hex digest of a wheel's bytes, or of all files of a folder.

        The digest of a folder covers the path in the package, the size and the bytes of each file, in the order of the
        paths. `__pycache__`, which is not imported, and files whose names begin with a dot do not count.
        """
        hashed = hashlib.sha256()
        if self.path.suffix == ".whl":
            _add(hashed, self.path)
            return f"sha256:{hashed.hexdigest()}"
        for name, file in _files(self.path):
            hashed.update(f"{name}\0{file.stat().st_size}\0".encode())
            _add(hashed, file)
        return f"sha256:{hashed.hexdigest()}"

    def modules(self) -> list[str]:
        """Return the names of the Python modules."""
        if self.path.suffix == ".whl":
            with zipfile.ZipFile(self.path) as wheel:
                names = [name for name in wheel.namelist() if name.startswith(f"{self.name}/")]
        else:
            names = [f"{self.name}/{name}" if self.path.is_dir() else name for name, _ in _files(self.path)]
        found = (name.removesuffix(".py").removesuffix("/__init__") for name in names if name.endswith(".py"))
        return sorted(name.replace("/", ".") for name in found)


def find(folder: Path | None, function: str) -> Package:
    """Return the package of a function, which is named `package.module:name`.

    Raises:
        FunctionsNotSetError: there is no folder.
        PackageMissingError: the folder lacks the package.
        SeveralPackagesError: several files of the folder contain it.
        UnusableWheelError: it is in a wheel with compiled code, or in one that can't be read.

    """
    if folder is None:
        raise FunctionsNotSetError(function)
    name = function.partition(":")[0].partition(".")[0]
    there = _packages(folder)
    found = [package for package in there if package.name == name]
    if not found:
        raise PackageMissingError(name, folder, sorted({package.name for package in there}))
    if len(found) > 1:
        raise SeveralPackagesError(name, [package.path.name for package in found])
    _check_wheel(found[0].path)
    return found[0]


def _check_wheel(path: Path) -> None:
    if path.suffix != ".whl":
        return
    if not zipfile.is_zipfile(path):
        raise UnusableWheelError(path.name, "can't be read: copy it again")
    if not path.name.endswith(_PURE):
        raise UnusableWheelError(
            path.name, "has compiled code, which can't be imported from a wheel: unpack it there, and remove the wheel"
        )


def _packages(folder: Path) -> list[Package]:
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name.isidentifier() and path.name != "__pycache__":
            found.append(Package(path.name, path))
        elif (name := _module_name(path)) is not None:
            found.append(Package(name, path))
        elif path.suffix == ".whl":
            found += [Package(name, path) for name in _in_wheel(path)]
    return found


def _module_name(path: Path) -> str | None:
    """Return the module name that Python gives a file. Python prefers a compiled module to a folder of that name."""
    suffix = next((each for each in all_suffixes() if path.name.endswith(each)), None)
    name = path.name.removesuffix(suffix or "")
    return name if suffix is not None and name.isidentifier() else None


def _in_wheel(path: Path) -> list[str]:
    """Return the top-level packages and modules of a wheel. If it can't be read, they come from the file's name."""
    try:
        with zipfile.ZipFile(path) as wheel:
            files = [name.partition("/") for name in wheel.namelist()]
    except (zipfile.BadZipFile, OSError):
        return [path.name.partition("-")[0]]
    names = {top if rest else top.removesuffix(".py") for top, rest, _ in files if rest or top.endswith(".py")}
    return sorted(name for name in names if name.isidentifier())


def _files(path: Path) -> list[tuple[str, Path]]:
    """Return the files of a folder with their relative paths, sorted. A single module is the only file."""
    if not path.is_dir():
        return [(path.name, path)]
    return sorted(_below(path, "", (path.resolve(),)))


def _below(folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    for each in folder.iterdir():
        if each.name.startswith(".") or each.name == "__pycache__":
            continue
        if not each.is_dir():
            # A broken link can't be imported, and reading a pipe may never end.
            if each.is_file():
                yield f"{prefix}{each.name}", each
        elif (target := each.resolve()) not in above:  # a link may point to a parent folder
            yield from _below(each, f"{prefix}{each.name}/", (*above, target))


def _add(hashed: hashlib._Hash, file: Path) -> None:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            hashed.update(chunk)
