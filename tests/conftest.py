"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """The tiers that a test may be marked with."""
    config.addinivalue_line("markers", "system: starts real parts (database, broker, processes)")
    config.addinivalue_line("markers", "peers: checks against a foreign implementation in a process of its own")
    config.addinivalue_line("markers", "own_parts: needs a database and a broker that may be killed and given accounts")


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def home() -> Path:
    """The folder of state at run time: where downloads are kept."""
    return Path(os.environ.get("ROZVODNA_HOME") or ROOT / ".rozvodna").absolute()
