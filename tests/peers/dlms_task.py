"""What a foreign client is told to read, and running it in a process and environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

CLIENTS = ("gurux", "dlms_cosem")
ANSWER_S = 60
"""dlms-cosem spins for ever on a closed connection: whatever a client does, it is ended."""

TASK: dict[str, Any] = {
    "authentication": "none",
    "timeout_s": 10,
    "register": "1.0.1.8.0.255",
    "profile": "1.0.99.1.0.255",
    "begin": "2026-03-28T00:15:00+01:00",
    "end": "2026-03-29T00:00:00+01:00",
    "entry": 5,
    "entries": 10,
}
"""A register, the clock, a profile's columns, a day of it by range (stamps end intervals), ten rows by entry."""


class PeerError(Exception):
    """What a foreign client said when it failed."""


def run_client(python: Path, client: str, task: dict[str, Any]) -> dict[str, Any]:
    """What `client` got, on top of `TASK`. Raises `PeerError`."""
    done = subprocess.run(
        [str(python), "-I", str(Path(__file__).parent / f"clients/read_with_{client}.py")],
        input=json.dumps(TASK | task),
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
    )
    if done.returncode:
        raise PeerError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
