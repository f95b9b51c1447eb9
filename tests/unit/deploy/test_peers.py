"""A peer that cannot be had is left out loudly, or fails where peers are required."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import peers
from deploy.peers import PEERS, peers_required, require_mbpoll, require_tshark
from deploy.stack.errors import StackError


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"CI": ""}, False),
        ({"CI": "0"}, False),
        ({"CI": "1"}, True),
        ({"CI": "true"}, True),
        ({"ROZVODNA_PEERS": "required"}, True),
        ({"ROZVODNA_PEERS": "optional"}, False),
    ],
)
def test_when_peers_are_required(environment: dict[str, str], expected: bool) -> None:
    assert peers_required(environment) is expected


def test_programs_of_the_machine_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mbpoll", "tshark"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert require_mbpoll(tmp_path, print).path == tmp_path / "mbpoll"
    assert require_tshark(tmp_path, print).path == tmp_path / "tshark"


def test_otherwise_they_are_fetched_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(peers, "require_tree", lambda bundle, folder, say: folder / "programs")
    tshark = require_tshark(tmp_path, print)
    assert tshark.path == tmp_path / "peers/programs/usr/bin/tshark"
    assert tshark.environment()["WIRESHARK_DATA_DIR"] == str(tmp_path / "peers/programs/usr/share/wireshark")


def test_without_apt_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError, match=r"no apt here to fetch mbpoll and tshark with\. Install mbpoll and tshark"):
        require_mbpoll(tmp_path, print)
    assert {"mbpoll", "tshark", "libc6"} <= set(PEERS.packages)


@pytest.mark.parametrize(
    ("required", "status", "told"), [("", 0, "NOT CHECKED against mbpoll"), ("1", 1, "is required")]
)
def test_left_out_or_failed(required: str, status: int, told: str, root: Path, tmp_path: Path) -> None:
    """The real frame in a pytest of its own, on a machine without apt and mbpoll."""
    for name in ("conftest.py", "__init__.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "conftest.py").write_text((root / "tests/peers/conftest.py").read_text())
    (tmp_path / "test_one.py").write_text("def test_one(mbpoll): raise AssertionError('never reached')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = peers\n")
    plugin = "import pytest, pathlib\n@pytest.fixture(scope='session')\ndef home(): return pathlib.Path('home')\n"
    (tmp_path / "home_plugin.py").write_text(plugin)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "home_plugin", "-p", "no:cacheprovider", "-rs", str(tmp_path)],
        cwd=tmp_path,
        env={"PATH": "", "CI": required, "PYTHONPATH": f"{tmp_path}:{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert told in done.stdout
