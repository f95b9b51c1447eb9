"""Holds messages of interval data against their schema in processes of their own, several at a time."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Final

import msgspec

from central.market.format_package import folders
from central.market.interval_check import receive, send

_PIPE_OCTETS: Final = 1024 * 1024
"""Room for a message of half a megabyte on its way; by default it takes eight turns."""


class CheckerEndedError(RuntimeError):
    """A process ended before it answered."""


class _Checker:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        # in a session of its own: an interrupt from the keyboard is for this process, whose end it sees
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "central.market.interval_check", *map(str, folders())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out = self._process.stdin, self._process.stdout
        with suppress(OSError):  # the machine allows less
            fcntl.fcntl(self._into, fcntl.F_SETPIPE_SZ, _PIPE_OCTETS)

    def errors(self, package: str, format_name: str, content: bytes) -> list[str]:
        """As `own_errors` of the content; CheckerEndedError."""
        try:
            send(self._into, package.encode(), format_name.encode(), content)
            answer = receive(self._out)
        except (EOFError, BrokenPipeError):
            raise CheckerEndedError(
                f"A process that checks messages ended with status {self._process.wait()} before it answered."
            ) from None
        return msgspec.json.decode(answer, type=list[str])

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):  # what it was not told yet
            self._into.close()
        self._out.close()


class Checkers:
    """Takes messages in any number and answers them in the background."""

    def __init__(self, threads: ThreadPoolExecutor, free: SimpleQueue[_Checker]) -> None:
        self._threads = threads
        self._free = free

    def errors(self, package: str, format_name: str, content: bytes) -> Future[list[str]]:
        """What `own_errors` says of the content by the package's schema of that format."""
        return self._threads.submit(self._errors, package, format_name, content)

    def _errors(self, package: str, format_name: str, content: bytes) -> list[str]:
        checker = self._free.get()
        try:
            return checker.errors(package, format_name, content)
        finally:
            self._free.put(checker)


@contextmanager
def checkers(count: int) -> Iterator[Checkers]:
    """So many processes; what waits is dropped where the caller fails."""
    started: list[_Checker] = []
    free: SimpleQueue[_Checker] = SimpleQueue()
    with ThreadPoolExecutor(count, "interval-check") as threads:
        try:
            for _ in range(count):
                started.append(_Checker())
                free.put(started[-1])
            yield Checkers(threads, free)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for each in started:
                each.close()
