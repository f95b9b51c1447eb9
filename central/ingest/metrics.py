"""What ingest has done since it started, for the log, the status file and whoever scrapes it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from central.ingest.store import Stored


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process."""

    messages: int = 0
    batches: int = 0
    repeated: int = 0
    values: int = 0
    readings: int = 0
    events: int = 0
    transactions: int = 0
    acknowledgements: int = 0
    births: int = 0
    births_unreadable: int = 0
    holes_closed: int = 0
    """Numbers of batches that nobody holds any more."""
    shed: int = 0
    """Messages dropped unacknowledged because too much was waiting: their edges send them again."""
    database_retries: int = 0
    bisections: int = 0
    """Transactions taken apart because one of their messages could not be stored."""
    refused: dict[str, int] = field(default_factory=dict)
    """Quarantined, by reason code."""

    def add(self, messages: int, stored: Stored) -> None:
        """Count a committed transaction."""
        self.transactions += 1
        self.messages += messages
        self.batches += stored.batches
        self.repeated += stored.repeated
        self.values += stored.values
        self.readings += stored.readings
        self.events += stored.events
        for code, count in stored.refused.items():
            self.refused[code] = self.refused.get(code, 0) + count

    def status(self, **more: Any) -> dict[str, Any]:
        """As JSON-able facts, with the memory of the process."""
        return {**asdict(self), "most_rss_mb": most_rss_mb(), **more}


def most_rss_mb() -> int | None:
    """Greatest resident memory so far; None where the system does not say (getrusage would count the parent's)."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), None)


def write_status(path: Path, status: dict[str, Any]) -> None:
    """Replace the status file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.write_bytes(msgspec.json.format(msgspec.json.encode(status), indent=2))
    written.replace(path)
