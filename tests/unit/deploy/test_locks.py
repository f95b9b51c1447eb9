"""The locks: hashes everywhere, addresses nowhere, all that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def _pins(path: Path) -> dict[str, list[Version]]:
    """Versions by name; a name may have several, for different Pythons."""
    pins: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE):
        pins.setdefault(canonicalize_name(name), []).append(Version(version))
    return pins


@pytest.mark.parametrize("name", ["run", "dev", "peers"])
def test_every_pin_has_hashes_and_no_address(root: Path, name: str) -> None:
    text = (root / f"deploy/locks/{name}.lock").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 10
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|@ ", text) == []


def test_locks_hold_what_the_project_asks_for(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = {
        "run": project["dependencies"],
        "dev": project["dependencies"] + project["optional-dependencies"]["dev"],
    }
    missing = []
    for name, requirements in asked.items():
        pins = _pins(root / f"deploy/locks/{name}.lock")
        for requirement in map(Requirement, requirements):
            versions = pins.get(canonicalize_name(requirement.name), [])
            if not versions or not all(version in requirement.specifier for version in versions):
                missing.append(f"{name}.lock lacks {requirement}: call make lock")
    assert missing == []


def test_dev_lock_extends_the_run_lock(root: Path) -> None:
    run, dev = (_pins(root / f"deploy/locks/{name}.lock") for name in ("run", "dev"))
    assert {name: versions for name, versions in run.items() if dev.get(name) != versions} == {}


def test_foreign_clients_are_no_part_of_the_product(root: Path) -> None:
    """gurux-dlms is under the GPL 2, dlms-cosem under the Business Source License: tests run them as processes."""
    asked = (root / "deploy/locks/peers.in").read_text().split()
    assert set(asked) <= set(_pins(root / "deploy/locks/peers.lock"))
    for name in ("run", "dev"):
        assert not {"dlms-cosem", "gurux-dlms"} & set(_pins(root / f"deploy/locks/{name}.lock"))
    sources = [
        path
        for room in ("shared", "edge", "central", "firmware_sims", "deploy")
        for path in (root / room).rglob("*.py")
    ]
    assert [path for path in sources if re.search(r"(?:import|from) (?:gurux_dlms|dlms_cosem)", path.read_text())] == []
