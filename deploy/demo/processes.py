"""Child processes of the demo: started, watched, killed, started again; none outlives its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1


class ProcessError(RuntimeError):
    """A child process that did not start or ended by itself."""


def end_with_parent(with_signal: signal.Signals = signal.SIGTERM) -> None:
    """From now on this process gets the signal when its parent ends, whatever ended that one."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, with_signal)


def _die_with_parent(parent: int) -> None:
    end_with_parent()
    if os.getppid() != parent:  # it ended before the line above
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class Child:
    """One process by its command. Its output goes to a log file beside the others."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_line: str | None = None
    """Text that its standard output shows when it is ready; None: ready at once."""
    kills: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def python(
        cls,
        name: str,
        module: str,
        *arguments: str,
        log: Path,
        environment: Mapping[str, str],
        ready_line: str | None = None,
    ) -> "Child":
        """`python -m module arguments` with this interpreter."""
        return cls(name, [sys.executable, "-m", module, *arguments], log, environment, ready_line)

    def start(self, timeout: float = 30.0) -> None:
        """Start it and wait until it is ready."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            offset = log.tell()
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is the parent's, which then stops them in order
                preexec_fn=partial(_die_with_parent, os.getpid()),  # a few calls of the system, takes no locks
            )
        if self.ready_line is not None:
            self._wait_ready(offset, timeout)

    def _wait_ready(self, offset: int, timeout: float) -> None:
        assert self.ready_line is not None
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with self.log.open("rb") as log:
                log.seek(offset)
                if self.ready_line.encode() in log.read():
                    return
            self.check()
            time.sleep(0.02)
        self.kill()
        raise ProcessError(f"{self.name} was not ready within {timeout:.0f} s; its output: {self.tail()}")

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise ProcessError(f"{self.name} was not started.")
        return self._process.pid

    def check(self) -> None:
        """Raise `ProcessError` if it has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise ProcessError(f"{self.name} ended by itself with status {status}; its output: {self.tail()}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self.kills += 1
        self._process = None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when it does not listen."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"(no log: {error})"
