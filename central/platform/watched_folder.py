"""A folder into which others put files: each is given when two looks see it alike (it may still be written before)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload")
_log = structlog.get_logger(__name__)


class WatchedFolder:
    """Looks some seconds or minutes apart; a file that goes on being there is given at each look.

    Hidden files, unfinished downloads and sub-folders are left alone. At most `largest` + 1 octets of a file are read.
    """

    def __init__(self, folder: Path, largest: int) -> None:
        self._folder = folder
        self._largest = largest
        self._seen: dict[Path, tuple[int, int, int]] = {}

    def look(self) -> Iterator[tuple[Path, bytes]]:
        """Files that are as they were at the last look, by name. A folder that is away is logged."""
        seen: dict[Path, tuple[int, int, int]] = {}
        before, self._seen = self._seen, seen
        try:
            for path in sorted(self._folder.iterdir()):
                if path.name.startswith(".") or path.suffix.lower() in _UNFINISHED or not path.is_file():
                    continue
                state = path.stat()
                seen[path] = (state.st_size, state.st_mtime_ns, state.st_ino)
                if before.get(path) == seen[path]:
                    with path.open("rb") as file:
                        octets = file.read(self._largest + 1)
                    yield path, octets
        except OSError as error:
            _log.warning("a watched folder is away or refused", folder=str(self._folder), error=str(error))
