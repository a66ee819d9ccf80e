"""The account that PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A system user without rights."""

    uid: int
    gid: int

    def can_reach(self, folder: Path) -> bool:
        """Say whether strangers may pass through `folder` and all that leads to it."""
        # Both ways: a link has to be reached as well as what it leads to.
        way = {folder.absolute(), *folder.absolute().parents, *folder.resolve().parents}
        return all(each.stat().st_mode & stat.S_IXOTH for each in way)

    def give(self, path: Path) -> None:
        """Make the account the owner of `path`."""
        os.chown(path, self.uid, self.gid)


def unprivileged() -> Account | None:
    """Return the account to change to: `nobody` when this runs as root, else none, for nobody needs to change."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)
