"""A process is known by pid and start; another one under the same pid is left alone."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec
import pytest

from deploy.stack import process

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_start_stop(tmp_path: Path) -> None:
    record = process.start(SLEEPER, tmp_path / "log", {}, tmp_path)
    assert process.is_running(record)
    process.stop(record)
    assert process.wait_until_gone(record, 10)
    assert not process.is_running(record)


def test_same_pid_of_another_start_or_boot_is_not_touched(tmp_path: Path) -> None:
    record = process.start(SLEEPER, tmp_path / "log", {}, tmp_path)
    for foreign in (
        msgspec.structs.replace(record, started=record.started - 1),
        msgspec.structs.replace(record, boot="another boot"),
    ):
        assert not process.is_running(foreign)
        process.stop(foreign, signal.SIGKILL)
        assert process.wait_until_gone(foreign, 0)
    assert process.is_running(record)
    process.stop(record, signal.SIGKILL)
    assert process.wait_until_gone(record, 10)


def test_no_record_means_not_running() -> None:
    assert not process.is_running(None)
    assert process.is_running(process.this_process())


def test_a_server_is_found_by_its_folder(tmp_path: Path) -> None:
    assert process.left_running(tmp_path) is None
    record = process.start(SLEEPER, tmp_path / "log", {}, tmp_path)
    assert process.left_running(tmp_path) == record
    process.end_left_running(tmp_path, signal.SIGTERM, 10)
    assert not process.is_running(record)
    assert process.left_running(tmp_path) is None


def test_a_server_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open('deaf', 'w').close(); time.sleep(60)"
    record = process.start([sys.executable, "-c", deaf], tmp_path / "log", {}, tmp_path)
    while not (tmp_path / "deaf").exists():
        assert process.is_running(record)
    process.end_left_running(tmp_path, signal.SIGTERM, 0.1)
    assert not process.is_running(record)


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_damaged_record_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "process.json").write_bytes(content)
    assert process.left_running(tmp_path) is None
