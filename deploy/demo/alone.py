"""One demo at a time in a home folder, and an end in order however it is asked for."""

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from deploy.stack import process
from deploy.stack.errors import StackError
from deploy.stack.process import ProcessRecord

ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, `kill`, a closed terminal."""
TIDY_TIMEOUT_S: Final = 60.0


@contextmanager
def only_demo(home: Path) -> Iterator[int]:
    """Hold the home's lock; yields its file descriptor, for the keeper to hold on to. Raises StackError.

    After a killed demo it waits until that one's keeper has stopped what was left.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "demo.lock").open("a+b") as file:
        end = time.monotonic() + TIDY_TIMEOUT_S
        while not _taken(file.fileno()):
            file.seek(0)
            holder = _record(file.read())
            if process.is_running(holder) or time.monotonic() > end:
                who = "" if holder is None else f" (process {holder.pid})"
                raise StackError(
                    f"A demo runs already in {home}{who}. End that one with Ctrl-C, or give this one a folder of its "
                    "own: ROZVODNA_HOME=/another/folder."
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(msgspec.json.encode(process.this_process()))
        file.flush()
        yield file.fileno()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _record(text: bytes) -> ProcessRecord | None:
    try:
        return msgspec.json.decode(text, type=ProcessRecord)
    except msgspec.DecodeError:
        return None


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, every ending is a KeyboardInterrupt; afterwards none is heard, so that tidying up is not cut short."""
    for ending in ENDINGS:
        signal.signal(ending, _interrupt)
    try:
        yield
    finally:
        for ending in ENDINGS:
            signal.signal(ending, signal.SIG_IGN)
