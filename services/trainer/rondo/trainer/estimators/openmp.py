"""GNU OpenMP for LightGBM, on a machine that has none.

LightGBM's wheel is linked against the system's `libgomp.so.1`, which a bare Debian or a slim image lacks. The wheel of
scikit-learn brings its own, under a name that only it knows (auditwheel mangles it). So that copy is loaded first,
under the name that LightGBM asks for: the loader then takes the library that is there already.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path

SONAME = b"libgomp.so.1"
CARRIER = "scikit-learn"


class OpenMpMissingError(ImportError):
    """Neither the system nor a package has GNU OpenMP."""

    def __init__(self) -> None:
        super().__init__(
            "LightGBM needs GNU OpenMP (libgomp.so.1), and neither the system nor the package scikit-learn has it: "
            "install it (Debian, Ubuntu: apt install libgomp1) or scikit-learn"
        )


def provide() -> None:
    """Make sure that `libgomp.so.1` is loaded, from the system where it has one.

    Its threads are told not to spin while they wait for each other: on a machine with other work to do that makes a fit
    of 300,000 rows take 22 to 47 s instead of 4 s (2 cores, 2 threads, one busy neighbour). The library reads it when
    it is loaded.

    Raises:
        OpenMpMissingError: it can't be had.

    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if not sys.platform.startswith("linux"):
        return  # the wheels of other systems bring or name their own
    try:
        ctypes.CDLL(SONAME.decode(), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        load(carried())


def carried(package: str = CARRIER) -> Path:
    """Return the library that a package's wheel brings.

    Raises:
        OpenMpMissingError: the package is not installed, or brings none.

    """
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise OpenMpMissingError from None
    for file in files:
        if file.name.startswith("libgomp"):
            return Path(str(file.locate()))
    raise OpenMpMissingError


def load(library: Path) -> None:
    """Load a copy of a mangled libgomp under its own name. The file may go once it is loaded."""
    # The name stands in the string table, ended by a zero: a shorter one fits into its place.
    mangled = library.name.encode()
    content = library.read_bytes().replace(mangled + b"\0", SONAME.ljust(len(mangled) + 1, b"\0"))
    with tempfile.NamedTemporaryFile(suffix=".so") as copy:
        copy.write(content)
        copy.flush()
        ctypes.CDLL(copy.name, mode=ctypes.RTLD_GLOBAL)
