"""Stops a stack when the process that it belongs to is gone, whatever ended that process.

`python -m deploy.stack.keeper HOME INSTANCE down|destroy PID STARTED BOOT`: an orderly end stops the keeper first;
after a SIGKILL no server is left behind. It has a session of its own, so Ctrl-C does not reach it.
"""

from __future__ import annotations

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


def start(
    home: Path, instance: str, act: str, owner: ProcessRecord, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start the keeper of an instance; `pass_fds` (a lock) stay open until it has ended."""
    arguments = [str(home), instance, act, str(owner.pid), str(owner.started), owner.boot]
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
    home, instance, act, pid, started, boot = arguments
    owner = ProcessRecord(int(pid), int(started), boot)
    while process.is_running(owner):
        time.sleep(_POLL_SECONDS)
    if not (Path(home) / "stack").exists():
        return  # removed by `make clean`
    # Imported late: while it waits it should cost little memory.
    from deploy.stack.local import LocalStack

    stack = LocalStack(home, instance, environment={})
    if act == "destroy":
        stack.destroy()
    else:
        stack.down()


if __name__ == "__main__":
    main(sys.argv[1:])
