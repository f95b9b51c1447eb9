"""The process that holds messages of interval data against their schema: it is asked on its standard input, answers on
its output, and ends with that input. `python -m central.market.interval_check FOLDER...`: folders of format packages.

It must not load numpy: a library that comes with it teaches the C library's `printf` another format, which makes every
other one slow, and libxml2 formats each number that it holds against a schema.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from central.market.format_package import find_in, load_package
from central.market.xml import own_errors
from central.platform.workers import keep_freed_memory

_LENGTH: Final = 4
"""Octets of the length before each part of a question and before an answer, little endian."""


def main() -> None:
    """Answer every question (package, format, message) with the sentences that `own_errors` has for it."""
    find_in([Path(name) for name in sys.argv[1:]])
    keep_freed_memory()
    with suppress(EOFError, BrokenPipeError):  # whoever asked has ended
        while True:
            name, format_name, content = (receive(sys.stdin.buffer) for _ in range(3))
            schema = load_package(name.decode()).schema(format_name.decode())
            send(sys.stdout.buffer, msgspec.json.encode(own_errors(schema, content)))


def send(into: IO[bytes], *parts: bytes) -> None:
    """Write octets for `receive`."""
    for part in parts:
        into.write(len(part).to_bytes(_LENGTH, "little"))
        into.write(part)
    into.flush()


def receive(source: IO[bytes]) -> bytes:
    """One part that `send` wrote; EOFError where the other end closed before its end."""
    head = source.read(_LENGTH)
    part = source.read(int.from_bytes(head, "little"))
    if len(head) < _LENGTH or len(part) < int.from_bytes(head, "little"):
        raise EOFError
    return part


if __name__ == "__main__":
    main()
