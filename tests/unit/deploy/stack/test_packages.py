"""Which mirror is taken from what apt knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.peers import PEERS
from deploy.stack import packages
from deploy.stack.errors import StackError
from deploy.stack.packages import Source, choose_sources

MAIN, SECURITY = "http://mirror.example/debian", "http://mirror.example/debian-security"


@pytest.mark.parametrize(
    ("targets", "codename", "expected"),
    [
        pytest.param(
            [(MAIN, "bookworm", "main"), (MAIN, "bookworm-updates", "main"), (SECURITY, "bookworm-security", "main")],
            "bookworm",
            [Source(MAIN, "trixie"), Source(SECURITY, "trixie-security")],
            id="Debian 12",
        ),
        pytest.param([(MAIN, "trixie", "main")], "trixie", [Source(MAIN, "trixie")], id="no security archive"),
        pytest.param(
            [("http://vendor.example/linux", "bookworm", "stable"), (MAIN, "stable", "main")],
            "bookworm",
            [Source(MAIN, "trixie")],
            id="a vendor's archive and a suite by its role",
        ),
        pytest.param(
            [("http://vendor.example/web", "bookworm", "main"), (MAIN, "bookworm", "main")],
            "bookworm",
            [Source(MAIN, "trixie")],
            id="a vendor's archive with Debian's names",
        ),
        pytest.param([("http://other.example/ubuntu", "noble", "main")], "noble-x", [], id="no Debian"),
        pytest.param([], "bookworm", [], id="nothing"),
    ],
)
def test_choose_sources(targets: list[tuple[str, str, str]], codename: str, expected: list[Source]) -> None:
    assert choose_sources(targets, codename) == expected


def test_without_apt_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        StackError, match=r"no apt here to fetch TimescaleDB.*DATABASE_URL=postgresql://.*MQTT_URL=mqtt://"
    ):
        packages.download(packages.STACK, tmp_path)


def test_no_package_twice() -> None:
    for bundle in (packages.STACK, PEERS):
        assert len(bundle.packages) == len(set(bundle.packages))
