"""The command `rozvodna`: what it lists, what it passes on, how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app

RUNNER = CliRunner()


def test_help_names_every_command() -> None:
    said = RUNNER.invoke(app, ["--help"]).output
    assert [name for name in ("stack", "sim", "edge", "central", "demo", "bench", "version") if name not in said] == []
    said = RUNNER.invoke(app, ["stack", "--help"]).output
    assert [name for name in ("up", "down", "status", "env", "remove") if name not in said] == []


def test_version_is_the_projects(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert RUNNER.invoke(app, ["version"]).output.strip() == project["version"]


def test_status_of_a_stack_that_never_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROZVODNA_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("MQTT_URL", raising=False)
    result = RUNNER.invoke(app, ["stack", "status"])
    assert result.output.split() == ["database", "stopped", "broker", "stopped"]
    assert result.exit_code == 3


def test_status_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROZVODNA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hidden-1@db.example:5432/site")
    monkeypatch.setenv("MQTT_URL", "mqtt://central:hidden-2@mq.example:1883")
    said = RUNNER.invoke(app, ["stack", "up"]).output + RUNNER.invoke(app, ["stack", "status"]).output
    assert "postgresql://me@db.example:5432/site" in said
    assert "mqtt://central@mq.example:1883" in said
    assert "hidden" not in said
    exports = RUNNER.invoke(app, ["stack", "env"]).output.splitlines()
    assert exports == [
        "export DATABASE_URL=postgresql://me:hidden-1@db.example:5432/site",
        "export MQTT_URL=mqtt://central:hidden-2@mq.example:1883",
    ]


def test_an_error_is_a_sentence_and_status_2(root: Path) -> None:
    command = [sys.executable, "-m", "deploy.cli", "bench", "--only", "no-such"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said, _, names = done.stderr.strip().partition("; there are: ")
    assert said == "There is no benchmark 'no-such'"
    expected = "checks, edge, ingest, invoices, market, readings, registry, settlement."
    assert names == expected, "parts of benchmarks are none"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["central", "load-site", "/no/file.json"], "The system refused: No such file or directory (/no/file.json)."),
        (["central", "new-incarnation"], "The database refused: connection failed: "),
        (["checks", "run", "--period", "2026-03"], "The database refused: connection failed: "),
        (["demo", "--once"], "DATABASE_URL names a database that cannot be reached: "),
    ],
)
def test_what_is_not_there_is_a_sentence(root: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    nowhere = {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x", "MQTT_URL": "mqtt://a:b@127.0.0.1:1"}
    environment = {**os.environ, **nowhere, "ROZVODNA_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
