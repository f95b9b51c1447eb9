"""The unit of the agent: what must be in it, and what systemd itself says of it where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "rozvodna-edge@.service"


def test_it_notifies_watches_and_comes_back() -> None:
    lines = UNIT.read_text().splitlines()
    for wanted in ("Type=notify", "WatchdogSec=60", "Restart=always", "ProtectSystem=strict", "NoNewPrivileges=yes"):
        assert wanted in lines
    start = next(line for line in lines if line.startswith("ExecStart="))
    assert " -m edge " in start


def test_systemd_finds_no_fault_and_little_exposure() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: the unit is checked by its text only")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True, check=False
    )
    complaints = [
        line
        for line in verified.stderr.splitlines()
        if "rozvodna-edge" in line and "is not executable" not in line  # it is not installed here
    ]
    assert complaints == []
    # Exposure in tenths: 0 is closed, 100 open. Without hardening a unit has 96.
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", UNIT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-400:]
