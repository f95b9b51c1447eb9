"""A folder with Debian programs and all their libraries, bound to each other: nothing of the machine's is used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.stack import packages
from deploy.stack.errors import StackError
from deploy.stack.packages import Bundle

__all__ = ["require_tree"]


def require_tree(bundle: Bundle, folder: Path, say: Callable[[str], None]) -> Path:
    """The tree with the programs of `bundle`, made if it is not there. Raises StackError.

    `folder`/packages is the cache of downloads, `folder`/programs the unpacked tree; a half-made tree is made again.
    """
    root, stamp = folder / "programs", folder / "programs.json"
    # Programs name their loader by its full path, so a tree that was moved is made again (from the cache).
    facts = {"root": str(root), "packages": list(bundle.packages)}
    if stamp.exists() and json.loads(stamp.read_text()) == facts:
        return root
    stamp.unlink(missing_ok=True)
    cache = folder / "packages"
    files = sorted((cache / "files").glob("*.deb")) if (cache / "complete").exists() else []
    if len(files) != len(bundle.packages):
        say(f"Fetching {bundle.what} (about {bundle.megabytes} MB, once) ...")
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "complete").unlink(missing_ok=True)
        files = packages.download(bundle, cache)
        (cache / "complete").touch()
    shutil.rmtree(root, ignore_errors=True)
    packages.unpack(files, root)
    _bind_to_own_libraries(bundle, root)
    stamp.write_text(json.dumps(facts))
    return root


def _bind_to_own_libraries(bundle: Bundle, root: Path) -> None:
    """Let every program that is started use the loader and the libraries of its own tree."""
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent  # usr/lib/TRIPLET, of the architecture that dpkg fetched
    loader = next(libraries.glob("ld-linux*.so.*"))
    patchelf = _patchelf()
    for program in sorted({found for pattern in bundle.started for found in root.glob(pattern)}):
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
