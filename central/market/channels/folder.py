"""Folder exchange: files that another program of the house takes and brings.

Below the folder: `out/` what we leave for it, `in/` what it leaves for us, `done/` what we took, `tmp/` where files are
written. A file appears in `out` whole, by renaming; one in `in` is read only when it has not changed between two looks
(the other program should rename as well: names that begin with a dot or end in .tmp or .part are left alone) and not
while it was read. A file is told by its name and its content: another one of the same name is another one. Links are
followed nowhere. Who may write into the folder is trusted: nothing is signed.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import Final

from central.market.channels.port import (
    LARGEST,
    Archive,
    Channel,
    Destination,
    Incoming,
    LeftToPersonError,
    Outgoing,
    Receipt,
    Sealed,
    UndeliveredError,
)

UNFINISHED: Final = (".tmp", ".part", ".filepart", "~")
FOLDERS: Final = ("out", "in", "done", "tmp")
_MOST_NAME: Final = 200
_Look = tuple[int, int, int, int]
"""Device, inode, size and time of the last change: what tells that a file is still the same."""


class FolderChannel(Channel):
    """The folder of one other end; `peer` is its code."""

    def __init__(
        self, destination: Destination, archive: Archive, now: Callable[[], datetime], folder: Path, peer: str
    ) -> None:
        super().__init__(destination, archive, now)
        self._folder = folder
        self._peer = peer
        self._seen: dict[str, _Look] = {}
        self._offered: dict[str, _Look] = {}
        """How the files looked that were offered, by identity."""

    def receive(self) -> Iterable[Incoming]:
        """Files of `in` that look as they did at the look before, oldest first; see `Channel`."""
        try:
            self._make_folders()
            with os.scandir(self._folder / "in") as entries:
                looks = {entry.name: look for entry in entries if (look := _look_at(entry)) is not None}
        except OSError as error:
            raise UndeliveredError(f"{self.destination.address} cannot be read: {error.strerror}") from None
        settled = [name for name, look in looks.items() if self._seen.get(name) == look]
        self._seen = looks
        for name in sorted(settled, key=lambda each: (looks[each][3], each)):
            incoming = self._read(name, looks[name])
            if incoming is not None:
                yield incoming

    def confirm(self, incoming: Incoming) -> None:
        """Move the file to `done`, where nothing is ever overwritten; see `Channel`.

        Another file that came meanwhile under its name stays where it is.
        """
        source = self._folder / "in" / incoming.handle
        digest = hashlib.sha256(incoming.octets).hexdigest()[:12]
        target = self._folder / "done" / f"{digest}-{incoming.handle}"
        look = self._offered.pop(incoming.identity, None)
        if look is None:
            return
        try:
            source.replace(target)
            if _look(os.lstat(target)) != look:
                os.link(target, source, follow_symlinks=False)
                target.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            self._offered[incoming.identity] = look
            raise UndeliveredError(f"{source} cannot be moved to done: {error.strerror}") from None

    def _read(self, name: str, look: _Look) -> Incoming | None:
        """The file, if it is what was looked at, before and after it was read."""
        try:
            # neither a link nor something that never ends can have come into its place
            handle = os.open(self._folder / "in" / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                octets = file.read(LARGEST + 1) if _look(os.fstat(handle)) == look else b""
                if _look(os.fstat(handle)) != look:
                    return None
        except OSError:
            return None
        refusal = None
        if len(octets) > LARGEST:
            octets = octets[:LARGEST]
            refusal = "file_too_large", f"The file {name} is larger than {LARGEST} octets; its beginning is kept."
        content = None if refusal else octets
        where = self.destination
        identity = f"{name} {hashlib.sha256(octets).hexdigest()[:16]}"
        self._offered[identity] = look
        return Incoming(where.name, where.environment, identity, self._peer, octets, name, content, refusal=refusal)

    def _seal(self, message: Outgoing) -> Sealed:
        return Sealed(message.xml, f"{message.code}-{message.id}.xml", self._peer)

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        """A repeated message takes its own file's place; a file of that name with other content is refused."""
        digest = hashlib.sha256(sealed.octets).hexdigest()
        try:
            self._make_folders()
            target = self._folder / "out" / sealed.identity
            if target.exists() and target.read_bytes() != sealed.octets:
                raise LeftToPersonError(
                    f"The folder does not take {message.id} in: {target} is there already with another content; look "
                    f"whose it is, and move it away."
                )
            temporary = self._folder / "tmp" / f"{sealed.identity}.{os.getpid()}.part"
            with temporary.open("wb") as file:
                file.write(sealed.octets)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            raise UndeliveredError(
                f"{self.destination.address} gave no receipt for {message.id}: {error.strerror}"
            ) from None
        return Receipt(f"{sealed.identity} {digest[:16]} {target.stat().st_mtime_ns}")

    def _make_folders(self) -> None:
        if not self._folder.is_dir():
            # a folder that is not there is a disk that is not mounted: making it would hide that
            raise FileNotFoundError(2, f"the folder {self._folder} is not there")
        for name in FOLDERS:
            path = self._folder / name
            path.mkdir(exist_ok=True)
            if path.is_symlink():
                # what is left for one place must not arrive at another
                raise NotADirectoryError(20, f"{path} is a link, expected a folder")


def _look_at(entry: os.DirEntry[str]) -> _Look | None:
    """How a file looks; None for what is none, is not finished, or is gone meanwhile."""
    name = entry.name
    if (
        name.startswith(".")
        or name.lower().endswith(UNFINISHED)
        or len(name.encode("utf-8", "surrogateescape")) > _MOST_NAME
    ):
        return None
    try:
        stat = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _look(stat) if S_ISREG(stat.st_mode) else None


def _look(stat: os.stat_result) -> _Look:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    """The new name is on disk, not the content only."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
