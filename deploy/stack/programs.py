"""Where the programs of the database and of the broker are: the machine's own, or unpacked into a private folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.stack import packages
from deploy.stack.private_tree import require_tree

__all__ = ["Programs", "find_installed_broker", "find_installed_database", "require_programs"]

POSTGRES_MAJOR = 17


@dataclass(frozen=True)
class Programs:
    """Programs of the stack: the folder of PostgreSQL's, and the broker."""

    postgres_bin: Path
    mosquitto: Path

    @property
    def postgres(self) -> Path:
        return self.postgres_bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.postgres_bin / "initdb"


def find_installed_database(root: Path = Path("/usr/lib/postgresql")) -> Path | None:
    """The folder of PostgreSQL's programs if the machine has the right version with TimescaleDB."""
    folder = root / str(POSTGRES_MAJOR)
    return folder / "bin" if (folder / "lib/timescaledb.so").exists() and (folder / "bin/initdb").exists() else None


def find_installed_broker() -> Path | None:
    """The machine's mosquitto, version 2 or later (MQTT 5 and a listener that is closed by default)."""
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        return None
    said = subprocess.run([found, "-h"], capture_output=True, text=True, check=False).stdout
    return Path(found) if said.startswith("mosquitto version ") and int(said.split()[2].split(".")[0]) >= 2 else None


def require_programs(folder: Path, say: Callable[[str], None]) -> Programs:
    """The programs, fetched into `folder` if the machine lacks them. Raises StackError."""
    database, broker = find_installed_database(), find_installed_broker()
    if database and broker:
        return Programs(database, broker)
    root = require_tree(packages.STACK, folder, say)
    return Programs(
        database or root / f"usr/lib/postgresql/{POSTGRES_MAJOR}/bin",
        broker or root / "usr/sbin/mosquitto",
    )
