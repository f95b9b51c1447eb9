"""Stops a stack when the process that it belongs to is gone, whatever ended that process.

`python -m deploy.stack.keeper HOME FOLDER INSTANCE down|destroy PID STARTED BOOT`: an orderly end stops the keeper
first; after a SIGKILL no server is left behind. It has a session of its own, so Ctrl-C does not reach it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.stack import process
from deploy.stack.process import ProcessRecord

__all__ = ["ACTS", "main", "start"]

ACTS = ("down", "destroy")
_POLL_SECONDS = 0.3
_PATIENCE_SECONDS = 5.0
"""For a server to obey: one that was started in a shell's background ignores SIGQUIT."""


def start(
    home: Path, folder: Path, instance: str, act: str, owner: ProcessRecord, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start the keeper of an instance with its servers in `folder`; `pass_fds` (a lock) stay open until its end."""
    arguments = [str(home), str(folder), instance, act, str(owner.pid), str(owner.started), owner.boot]
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.stack.keeper", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )


def main(arguments: Sequence[str]) -> None:
    """Wait for the owner's end, then act."""
    home, folder, instance, act, pid, started, boot = arguments
    owner = ProcessRecord(int(pid), int(started), boot)
    while process.is_running(owner):
        time.sleep(_POLL_SECONDS)
    try:
        if Path(folder).exists():
            _end(home, instance, act)
    finally:
        # Also where somebody has removed the folders under the running servers.
        for server in process.running_below(Path(folder).resolve()):
            process.end(server, signal.SIGQUIT, _PATIENCE_SECONDS)


def _end(home: str, instance: str, act: str) -> None:
    # Imported late: while it waits it should cost little memory.
    from deploy.stack.local import LocalStack

    stack = LocalStack(home, instance, environment={})
    if act == "destroy":
        stack.destroy()
    else:
        stack.down()


if __name__ == "__main__":
    main(sys.argv[1:])
