"""The account that servers run under. PostgreSQL refuses to run as root, so root lends it another identity."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.errors import StackError

__all__ = ["Account", "choose_account"]

NOBODY = 65534

# Root seen as nobody inside the namespace: files stay root's own, so folders that only root can reach work too.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
# Where user namespaces are off: another account, which owns its data and must be able to reach it.
OTHER_ACCOUNT = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@dataclass(frozen=True)
class Account:
    """How to start a server: words to put before the command, the owner its files need, the folder it can reach."""

    prefix: tuple[str, ...]
    owner: int | None
    folder: Path

    def give(self, path: Path) -> None:
        """Hand a file, or a folder with all in it, to the account."""
        if self.owner is None:
            return
        os.chown(path, self.owner, self.owner)
        for below in path.rglob("*") if path.is_dir() else ():
            os.chown(below, self.owner, self.owner, follow_symlinks=False)


def choose_account(folder: Path, uid: int | None = None) -> Account:
    """The account for servers whose files lie in `folder` (made if missing). Raises StackError.

    A plain user needs nothing. Root takes a user namespace, or else the account nobody; if that cannot reach `folder`,
    a folder of the same purpose below /var/tmp serves instead (its name follows from `folder`, so it is found again).
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (os.geteuid() if uid is None else uid) != 0:
        return Account((), None, folder)
    if _reaches(NAMESPACE, folder):
        return Account(NAMESPACE, None, folder)
    if _reaches(OTHER_ACCOUNT, folder):
        return Account(OTHER_ACCOUNT, NOBODY, folder)
    elsewhere = Path("/var/tmp") / f"rozvodna-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"  # noqa: S108 - owner checked below
    elsewhere.mkdir(mode=0o755, exist_ok=True)
    if elsewhere.is_symlink() or elsewhere.stat().st_uid != 0:
        raise StackError(f"{elsewhere} belongs to somebody else; remove it, or set ROZVODNA_HOME to another folder.")
    for prefix, owner in ((NAMESPACE, None), (OTHER_ACCOUNT, NOBODY)):
        if _reaches(prefix, elsewhere):
            return Account(prefix, owner, elsewhere)
    raise StackError(
        "PostgreSQL does not run as root, and neither a user namespace (unshare) nor another account (setpriv) "
        "is to be had here. Run as a plain user, or name a running server by DATABASE_URL and MQTT_URL."
    )


def _reaches(prefix: tuple[str, ...], folder: Path) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    done = subprocess.run([*prefix, "test", "-x", str(folder)], capture_output=True, check=False)
    return done.returncode == 0
