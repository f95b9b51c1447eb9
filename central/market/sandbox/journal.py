"""What the sandbox got and decided, in a folder: an XML file and a journal line a message, written before the receipt.

A sandbox killed between receipt and answer knows its decision when the message is repeated. A killed process leaves
what it wrote with the kernel; a sandbox need not outlive its machine, so the disk is not waited for.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from central.market.errors import FormatError
from central.market.sandbox.memory import Fact


class JournalReason(msgspec.Struct, frozen=True):
    """A reason as it is kept."""

    type: str
    code: str
    text: str


class Entry(msgspec.Struct, frozen=True):
    """One delivery of a message. Repeats of one content carry the first one's answer id and reasons."""

    number: int
    sender: str
    id: str
    code: str
    digest: str
    opms: list[str]
    receipt: str
    answer_id: str
    answer_at: str
    reasons: list[JournalReason]
    repeats: int | None = None
    """Number of the delivery that this one repeats."""
    way: str = "http"
    """The way by which it came and its answer goes."""
    facts: list[Fact] = []
    """What it says, where it was accepted."""


class Journal:
    """The folder of one sandbox; entries in memory by number."""

    def __init__(self, folder: Path) -> None:
        """FormatError where what the folder holds is no journal."""
        self._folder = folder
        (folder / "messages").mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal.jsonl"
        self._entries = list(_read(self._path))
        self._first = {(entry.sender, entry.id): entry for entry in reversed(self._entries)}
        self._file = self._path.open("ab")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def entries(self) -> list[Entry]:
        """All deliveries, oldest first."""
        return self._entries

    @property
    def next_number(self) -> int:
        """The number of the next delivery, from 1."""
        return len(self._entries) + 1

    def find(self, sender: str, message_id: str) -> Entry | None:
        """The first delivery of that id by that sender."""
        return self._first.get((sender, message_id))

    def xml(self, number: int) -> bytes:
        """The bytes of a delivery."""
        return self._xml_path(number).read_bytes()

    def add(self, entry: Entry, content: bytes) -> None:
        """Keep a delivery: written when this returns, whoever is killed then."""
        self._xml_path(entry.number).write_bytes(content)
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()
        self._entries.append(entry)
        self._first.setdefault((entry.sender, entry.id), entry)

    def _xml_path(self, number: int) -> Path:
        return self._folder / "messages" / f"{number:06d}.xml"


def _read(path: Path) -> Iterator[Entry]:
    """The entries of the file; a last line that was torn by a kill is cut off: its receipt was never given.

    FormatError for a line that no sandbox has written.
    """
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            yield msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FormatError(
                "bad_journal", f"Line {number} of {path} is no entry of a sandbox ({error}). Move the file away."
            ) from None
