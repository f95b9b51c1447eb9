"""Foreign DLMS clients, gurux-dlms and dlms-cosem, in an environment of their own below ROZVODNA_HOME.

They are oracles of tests and nothing else: gurux-dlms is under the GPL 2, dlms-cosem under the Business Source License,
so neither is ever imported by our code or runs in one of its processes (docs/decisions/foreign-dlms-clients.md).
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.stack.errors import StackError

LOCK: Final = Path(__file__).parent / "locks/peers.lock"
_INSTALL_S: Final = 300


def require_dlms_clients(home: Path, say: Callable[[str], None]) -> Path:
    """The Python of the clients' environment, made if it is not there or its lock has changed. Raises StackError."""
    folder = home / "peers/dlms"
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin/python"
    stamp, wanted = folder / "lock.stamp", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    # Two test sessions at once: the second waits for the first.
    with (folder.parent / "dlms.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        say(f"Making the environment of the foreign DLMS clients in {folder} ...")
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        install = "-m pip install --quiet --no-input --disable-pip-version-check --no-deps --only-binary :all:"
        _run([str(python), *install.split(), "--require-hashes", "--requirement", str(LOCK)])
        stamp.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"The foreign DLMS clients cannot be installed: {error}.") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if not line.startswith("WARNING")]
        raise StackError(f"The foreign DLMS clients cannot be installed: {' '.join(lines[-3:])}")
