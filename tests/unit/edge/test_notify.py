"""What a service manager receives, on its real kind of socket."""

import socket
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from edge.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_alive_stopping(tmp_path: Path, abstract: bool) -> None:
    name = f"@rozvodna-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"})
        notifier.ready()
        notifier.alive("3 blocks wait")
        notifier.stopping()
        said = [manager.recv(200) for _ in range(3)]
    assert said == [b"READY=1", b"WATCHDOG=1\nSTATUS=3 blocks wait", b"STOPPING=1"]
    assert notifier.watchdog_s == 60


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.ready()
    assert notifier.watchdog_s is None


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = LogCapture()  # its own logger: whatever another test's process-wide set-up of logs did
    monkeypatch.setattr("edge.notify._log", structlog.wrap_logger(None, processors=[said]))
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive("")
    [entry] = said.entries
    assert (entry["event"], entry["log_level"]) == ("service manager not told", "warning")
    assert "No such file" in entry["reason"]
