"""The watched folder: `FOLDER/<source>/name` is imported when it stands still, then lies in `done` or `failed`.

Beside it lies `name.report.json`. Whatever happens in between (a stop, a second process on the same folder), the file
is imported once: the import itself is repeat-safe by the octets, and moving is what one process does first.
"""

import json
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from central.platform.database import transaction
from central.platform.errors import DomainError
from central.platform.identity import Person
from central.readings.transfer.files import MOST_OCTETS, fault_of, import_content_of, too_large
from central.readings.transfer.sources import find_sources
from shared.clock import Clock

WATCHER: Final = Person("watched-folder", frozenset({"operate"}))
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload")
_FOLDERS: Final = ("done", "failed")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """How a file looked; while this changes, somebody is still writing it."""

    size: int
    changed_ns: int
    inode: int


class WatchedFolder:
    """Looks at a folder again and again. A file is taken when two looks see it alike."""

    def __init__(self, engine: Engine, clock: Clock, folder: Path) -> None:
        self._engine = engine
        self._clock = clock
        self._folder = folder
        self._seen: dict[Path, Seen] = {}

    def look(self) -> int:
        """Import what stands still; returns the number of files that were dealt with. Looks are some seconds apart."""
        with transaction(self._engine) as connection:
            codes = [row["code"] for row in find_sources(connection)]
        found: dict[Path, Seen] = {}
        count = 0
        for code in codes:
            for path in _files(self._folder / code):
                seen = _look(path)
                if seen is None:
                    continue
                if self._seen.get(path) == seen:
                    count += self._take(code, path)
                else:
                    found[path] = seen
        self._seen = found
        return count

    def _take(self, code: str, path: Path) -> bool:
        """Import one file and move it away; False if another process did."""
        try:
            content = _read(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            _log.warning("a file cannot be read", file=str(path), error=str(error))
            return False
        now = self._clock.now()
        name = os.fsencode(path.name).decode("utf-8", "replace")
        report: dict[str, Any] = {"source": code, "name": name, "at": now.isoformat()}
        if content is None:
            done, outcome = False, _refusal(too_large())
        else:
            done, outcome = self._import(code, name, content, now)
        return _move(path, done, report | outcome, now)

    def _import(self, code: str, name: str, content: bytes, now: datetime) -> tuple[bool, dict[str, Any]]:
        try:
            with transaction(self._engine) as connection:
                result = import_content_of(connection, code, name, content, WATCHER, now)
        except DomainError as error:
            return False, _refusal(error)
        except (OperationalError, psycopg.OperationalError):
            raise  # the database is away: the file waits where it is
        except Exception as error:
            # One file must not keep the others waiting for ever.
            _log.error("a file could not be imported", source=code, name=name, exc_info=error)
            message = "The import failed by a fault of the system; it is in the log."
            return False, {"result": "refused", "code": "internal", "message": message}
        outcome = {
            "result": result.result,
            "file": result.file["id"],
            "imported_at": _text(result.file["imported_at"]),
            "message": fault_of(result.file["summary"]),
            "summary": result.file["summary"],
        }
        return result.result != "faulty", outcome


def _refusal(error: DomainError) -> dict[str, Any]:
    return {"result": "refused", "code": error.code, "message": error.message}


def _files(folder: Path) -> list[Path]:
    """Finished files directly in a folder, oldest name first; none if there is no such folder."""
    try:
        entries = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in entries if not path.name.startswith(".") and path.suffix.lower() not in _UNFINISHED]


def _look(path: Path) -> Seen | None:
    """A regular file's looks; None for folders, links and what is gone."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _read(path: Path) -> bytes | None:
    """The octets, None if there are too many; a link that took the file's place is not followed."""
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        content = file.read(MOST_OCTETS + 1)
    return content if len(content) <= MOST_OCTETS else None


def _move(path: Path, done: bool, report: dict[str, Any], now: datetime) -> bool:
    """Put the file where it belongs, then its report beside it; an earlier one of that name is kept."""
    target = path.parent / _FOLDERS[0 if done else 1]
    target.mkdir(exist_ok=True)
    place = target / path.name
    if place.exists():
        place = target / f"{now:%Y%m%dT%H%M%S%f}-{path.name}"
    try:
        path.rename(place)
    except FileNotFoundError:
        return False
    text = json.dumps(report, ensure_ascii=False, indent=2)
    place.with_name(f"{place.name}.report.json").write_text(text + "\n", encoding="utf-8")
    log = _log.info if done else _log.warning
    log("a file was dealt with", file=str(place), result=report["result"], message=report["message"])
    return True


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
