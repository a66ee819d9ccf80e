"""GNU OpenMP for LightGBM, on a machine that has none.

LightGBM's wheel is linked against the system's `libgomp.so.1`, which a bare Debian or a slim image lacks. The wheel of
scikit-learn contains the library under another name, which auditwheel has also written into its SONAME. This module
makes a copy with the name and SONAME that the loader expects.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib import metadata
from pathlib import Path

from rondo.embedded.errors import EmbeddedError

SONAME = "libgomp.so.1"
_CARRIER = "scikit-learn"


class OpenMpMissingError(EmbeddedError):
    """Neither the system nor scikit-learn has GNU OpenMP."""

    code = "openmp_missing"

    def __init__(self) -> None:
        super().__init__(f"the trainer needs GNU OpenMP ({SONAME}): install it (Debian, Ubuntu: apt install libgomp1)")


def prepare(folder: Path) -> dict[str, str]:
    """Return the environment in which a process finds the library. Empty if the system has it.

    Raises:
        OpenMpMissingError: neither the system nor scikit-learn has the library.

    """
    if not sys.platform.startswith("linux") or _is_installed():
        return {}  # wheels for other systems contain or name their own library
    copy_to(folder)
    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("LD_LIBRARY_PATH"))))}


def copy_to(folder: Path) -> Path:
    """Write the library of scikit-learn's wheel to a folder, with the name and SONAME of the system's library."""
    source = _carried()
    name = source.name.encode()
    # The SONAME is in the string table and ends with a zero byte, so the shorter name fits into its place.
    content = source.read_bytes().replace(name + b"\0", SONAME.encode().ljust(len(name) + 1, b"\0"))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / SONAME
    # The file is replaced, because a process may have loaded the old one.
    fresh = target.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(content)
    return fresh.replace(target)


def load(folder: Path) -> None:
    """Load the library into this process and its children, if the system has none."""
    if environment := prepare(folder):
        os.environ |= environment
        ctypes.CDLL(str(folder / SONAME), mode=ctypes.RTLD_GLOBAL)


def _is_installed() -> bool:
    try:
        ctypes.CDLL(SONAME)
    except OSError:
        return False
    return True


def _carried() -> Path:
    try:
        files = metadata.files(_CARRIER) or []
    except metadata.PackageNotFoundError:
        raise OpenMpMissingError from None
    found = next((file for file in files if file.name.startswith("libgomp")), None)
    if found is None:
        raise OpenMpMissingError
    return Path(str(found.locate()))
