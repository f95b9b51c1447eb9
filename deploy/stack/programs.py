"""Where the programs of the database and of the broker are: the machine's own, or unpacked into a private folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.stack import packages
from deploy.stack.errors import StackError

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
    """The programs, fetched into `folder` if the machine lacks them. Raises StackError.

    `folder`/packages is the cache of downloads, `folder`/programs the unpacked tree; a half-made tree is made again.
    """
    database, broker = find_installed_database(), find_installed_broker()
    if database and broker:
        return Programs(database, broker)
    root = _private_tree(folder, say)
    return Programs(
        database or root / f"usr/lib/postgresql/{POSTGRES_MAJOR}/bin",
        broker or root / "usr/sbin/mosquitto",
    )


def _private_tree(folder: Path, say: Callable[[str], None]) -> Path:
    root, stamp = folder / "programs", folder / "programs.json"
    # Programs name their loader by its full path, so a tree that was moved is made again (from the cache).
    facts = {"root": str(root), "packages": packages.PACKAGES}
    if stamp.exists() and json.loads(stamp.read_text()) == facts:
        return root
    stamp.unlink(missing_ok=True)
    cache = folder / "packages"
    files = sorted((cache / "files").glob("*.deb")) if (cache / "complete").exists() else []
    if len(files) != len(packages.PACKAGES):
        say("Fetching TimescaleDB and mosquitto (about 40 MB, once) ...")
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "complete").unlink(missing_ok=True)
        files = packages.download(cache)
        (cache / "complete").touch()
    shutil.rmtree(root, ignore_errors=True)
    packages.unpack(files, root)
    _bind_to_own_libraries(root)
    stamp.write_text(json.dumps(facts))
    return root


def _bind_to_own_libraries(root: Path) -> None:
    """Let every program that is started use the loader and the libraries of its own tree."""
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent  # usr/lib/TRIPLET, of the architecture that dpkg fetched
    loader = next(libraries.glob("ld-linux*.so.*"))
    patchelf = _patchelf()
    started = [*(root / f"usr/lib/postgresql/{POSTGRES_MAJOR}/bin").iterdir(), root / "usr/sbin/mosquitto"]
    started += (root / "usr/bin").glob("mosquitto_*")
    for program in started:
        if program.is_symlink() or program.read_bytes()[:4] != b"\x7fELF":
            continue
        options = ["--set-interpreter", str(loader), "--set-rpath", str(libraries), "--force-rpath"]
        done = subprocess.run([patchelf, *options, str(program)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StackError(f"patchelf could not bind {program.name} to its libraries: {done.stderr.strip()}")


def _patchelf() -> str:
    beside = str(Path(sys.executable).parent)
    found = shutil.which("patchelf", path=beside) or shutil.which("patchelf")
    if found is None:
        raise StackError("The program patchelf is missing; it comes with the project's run lock: call `make stack-up`.")
    return found
