"""SoftHSM, a PKCS#11 token in software, from Debian without root: what our keys in tokens are tried against."""

from __future__ import annotations

import fcntl
import os
import site
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.stack.packages import Bundle
from deploy.stack.private_tree import require_tree

__all__ = ["SOFTHSM", "SoftHsm", "require_softhsm"]

SOFTHSM: Final = Bundle(
    "SoftHSM",
    ("softhsm2", "libsofthsm2", "libc6", "libgcc-s1", "libsqlite3-0", "libssl3t64", "libstdc++6", "libzstd1", "zlib1g"),
    ("usr/bin/softhsm2-util",),
    9,
    "Let the tests of foreign peers be left out.",
)


@dataclass(frozen=True)
class SoftHsm:
    """The token's tool and library, and the loader with which a Python can load that library."""

    util: Path
    module: Path
    loader: Path

    def python(self) -> list[str]:
        """The command that starts this Python by the tree's own loader and libraries, which the token's library needs:
        they may be newer than the machine's."""
        return [str(self.loader), "--library-path", str(self.loader.parent), os.path.realpath(sys.executable)]

    def environment(self, configuration: Path) -> dict[str, str]:
        """For `subprocess.run`; a Python without its environment's folder has to be told where its packages are."""
        here = str(Path(__file__).parent.parent)
        return {
            **os.environ,
            "SOFTHSM2_CONF": str(configuration),
            "PYTHONPATH": os.pathsep.join([here, *site.getsitepackages()]),
        }


def require_softhsm(home: Path, say: Callable[[str], None]) -> SoftHsm:
    """SoftHSM, fetched below `home`/peers/softhsm. Raises StackError."""
    folder = home / "peers/softhsm"
    folder.mkdir(parents=True, exist_ok=True)
    # Two test sessions at once: the second waits for the first.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = require_tree(SOFTHSM, folder, say)
    module = next(root.glob("usr/lib/**/softhsm/libsofthsm2.so"))
    loader = next(next(root.glob("usr/lib/*/libc.so.6")).parent.glob("ld-linux*.so.*"))
    return SoftHsm(root / "usr/bin/softhsm2-util", module, loader)
