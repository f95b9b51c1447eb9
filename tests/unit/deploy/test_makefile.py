"""`make help` knows every target; the environment's script speaks in sentences."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def test_help_lists_every_target(root: Path) -> None:
    declared = re.search(r"^\.PHONY: (.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert declared is not None
    targets = {name for name in declared[1].split() if not name.startswith("env-")}
    said = subprocess.run(["make", "-s", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"make ([a-z-]+)", said)) == targets
    assert all(len(line.split(None, 2)) == 3 for line in said.splitlines()), "every target has an explanation"


def test_no_python_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "ROZVODNA_HOME": str(tmp_path / "home"), "PYTHON": "no-such-python"}
    done = subprocess.run(
        ["sh", "deploy/environment.sh", "run"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Python 3.11 or later is needed and was not found as no-such-python." in done.stderr


def test_clean_spares_a_folder_that_is_not_ours(root: Path, tmp_path: Path) -> None:
    # The scripts take the project's folder from their own place, so a copy cleans the copy.
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/clean.sh").write_text((root / "deploy/clean.sh").read_text())
    home = tmp_path / "home"
    (home / "venv").mkdir(parents=True)
    (home / "photos").mkdir()
    environment = {**os.environ, "ROZVODNA_HOME": str(home)}
    subprocess.run(["sh", "deploy/clean.sh"], cwd=tmp_path, env=environment, check=True)
    assert [path.name for path in home.iterdir()] == ["photos"]
    (home / "made-by-rozvodna").touch()
    subprocess.run(["sh", "deploy/clean.sh"], cwd=tmp_path, env=environment, check=True)
    assert not home.exists()
