"""Server processes that outlive the program that started them: known by pid and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

__all__ = [
    "ProcessRecord",
    "end",
    "end_left_running",
    "is_running",
    "left_running",
    "running_below",
    "start",
    "stop",
    "this_process",
    "wait_until_gone",
]

_RECORD = "process.json"

# Children of this very process must be reaped, else a stopped server would stay as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process: its pid, and what makes the pid unique: start in clock ticks since boot, and the boot's id."""

    pid: int
    started: int
    boot: str


def start(command: list[str], log: Path, environment: Mapping[str, str], folder: Path) -> ProcessRecord:
    """Start a server in a session of its own, with its output in `log` (begun anew).

    Its record lies in `folder` from the first moment: see `left_running`.
    """
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    _children[child.pid] = child
    record = ProcessRecord(child.pid, _start_ticks(child.pid) or 0, _boot_id())
    (folder / _RECORD).write_bytes(msgspec.json.encode(record))
    return record


def left_running(folder: Path) -> ProcessRecord | None:
    """The server of this folder if it runs, also where its starter was killed before it could tell anybody."""
    try:
        record = msgspec.json.decode((folder / _RECORD).read_bytes(), type=ProcessRecord)
    except (OSError, msgspec.DecodeError):
        return None
    return record if is_running(record) else None


def running_below(folder: Path) -> list[ProcessRecord]:
    """Our processes that work in `folder` or below it, also where it was removed under them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            place = (entry / "cwd").readlink()
        except OSError:  # gone meanwhile, or somebody else's
            continue
        started = _start_ticks(int(entry.name))
        if started is not None and place.is_relative_to(folder):
            found.append(ProcessRecord(int(entry.name), started, _boot_id()))
    return found


def end_left_running(folder: Path, with_signal: signal.Signals, seconds: float = 60.0) -> None:
    """End the server of this folder if it runs: with the signal, after `seconds` with SIGKILL."""
    end(left_running(folder), with_signal, seconds)


def end(record: ProcessRecord | None, with_signal: signal.Signals, seconds: float) -> None:
    """End that very process: with the signal, after `seconds` with SIGKILL."""
    stop(record, with_signal)
    if not wait_until_gone(record, seconds):
        stop(record, signal.SIGKILL)
        wait_until_gone(record, seconds)


def is_running(record: ProcessRecord | None) -> bool:
    """Whether that very process still runs; another one that was given its pid does not count."""
    if record is None:
        return False
    child = _children.get(record.pid)
    if child is not None and child.poll() is not None:
        del _children[record.pid]
    return record.boot == _boot_id() and _start_ticks(record.pid) == record.started


def this_process() -> ProcessRecord:
    """The record of the calling process."""
    return ProcessRecord(os.getpid(), _start_ticks(os.getpid()) or 0, _boot_id())


def stop(record: ProcessRecord | None, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Send one signal to that very process, if it still runs."""
    if record is not None and is_running(record):
        os.kill(record.pid, with_signal)


def wait_until_gone(record: ProcessRecord | None, seconds: float) -> bool:
    """Whether the process ended within `seconds` of wall time."""
    end = time.monotonic() + seconds
    while is_running(record):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None for a process that is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text[text.rindex(")") + 2 :].split()  # the name before it may hold spaces and brackets
    return None if state in "ZX" else int(fields[18])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
