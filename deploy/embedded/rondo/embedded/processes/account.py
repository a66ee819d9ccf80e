"""The account of the PostgreSQL processes, because PostgreSQL refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """An unprivileged system user."""

    uid: int
    gid: int

    def can_reach(self, folder: Path) -> bool:
        """Return whether every user may traverse `folder` and its parents."""
        # A symbolic link must be reachable, and its target too.
        path = {folder.absolute(), *folder.absolute().parents, *folder.resolve().parents}
        return all(each.stat().st_mode & stat.S_IXOTH for each in path)

    def chown(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def unprivileged() -> Account | None:
    """Return the account `nobody` when this process runs as root, else None."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)
