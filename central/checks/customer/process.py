"""A process for a customer's code, seen from central: every exchange has an end, and so has the process."""

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

import msgspec

from central.checks.customer.code import Answer, Description, Question, require_sound
from central.checks.customer.worker import LENGTH
from central.checks.framework import CouldNotRunError

LARGEST: Final = 1024**3
"""Octets of an answer at most."""
_PIECE: Final = 1024**2
_KEPT: Final = ("LANG", "LC_ALL", "TZ", "PATH", "LD_LIBRARY_PATH")
"""Of the environment; addresses, tokens and keys of central are not in it."""


class CodeFailedError(CouldNotRunError):
    """The code could not be loaded, failed, took too long, or answered what is no answer."""


class WorkerProcess:
    """One check's process. Its first answer is what the check says of itself."""

    def __init__(self, name: str, seconds: float) -> None:
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        # one thread each: checks share the machine, and threads of libraries would only map memory
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        environment |= {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "central.checks.customer.worker", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd="/",
            start_new_session=True,
        )  # fmt: skip
        try:
            answer = self._exchange(b"", seconds)
            if answer.description is None:
                raise CodeFailedError(answer.failed or "it says nothing of itself")
            try:
                self.description: Description = require_sound(answer.description)
            except Exception as error:  # numbers such as 1e999999 fail in many ways
                raise CodeFailedError(f"what it says of itself cannot be: {error}") from None
        except BaseException:
            self.close()
            raise

    def ask(self, question: Question, seconds: float) -> Answer:
        """The answer to a question within so many seconds; CodeFailedError says why there is none."""
        content = msgspec.msgpack.encode(question)
        answer = self._exchange(len(content).to_bytes(LENGTH, "little") + content, seconds)
        if answer.failed is not None:
            raise CodeFailedError(answer.failed)
        return answer

    def close(self) -> None:
        """Kill the process, with what it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _exchange(self, content: bytes, seconds: float) -> Answer:
        """Write all of `content` and read one message, until the time is up."""
        until = time.monotonic() + seconds
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        into, out = self._process.stdin.fileno(), self._process.stdout.fileno()
        left, got, wanted = memoryview(content), bytearray(), LENGTH
        with selectors.DefaultSelector() as ready:
            os.set_blocking(into, False)
            os.set_blocking(out, False)
            ready.register(out, selectors.EVENT_READ)
            if left:
                ready.register(into, selectors.EVENT_WRITE)
            while len(got) < wanted:
                remaining = until - time.monotonic()
                if remaining <= 0:
                    raise CodeFailedError(f"it took longer than {seconds:g} s and was stopped")
                for key, _ in ready.select(remaining):
                    if key.fd == into:
                        left = left[self._write(into, left) :]
                        if not left:
                            ready.unregister(into)
                        continue
                    got += self._read(out)
                    if wanted == LENGTH and len(got) >= LENGTH:
                        wanted += int.from_bytes(got[:LENGTH], "little")
                        if wanted > LARGEST:
                            raise CodeFailedError(f"its answer has {wanted} octets; {LARGEST} at most are expected")
        try:
            return msgspec.msgpack.decode(bytes(got[LENGTH:wanted]), type=Answer)
        except msgspec.MsgspecError as error:
            raise CodeFailedError(f"its answer cannot be read: {error}") from None

    def _write(self, into: int, left: memoryview) -> int:
        try:
            return os.write(into, left[:_PIECE])
        except BlockingIOError:
            return 0
        except OSError:
            raise CodeFailedError(self._ended()) from None

    def _read(self, out: int) -> bytes:
        try:
            piece = os.read(out, _PIECE)
        except BlockingIOError:
            return b""
        if not piece:
            raise CodeFailedError(self._ended())
        return piece

    def _ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            return f"its process ended with status {self._process.wait(1)}"
        return "its process closed its output"
