"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from central.platform.clock import get_clock
from central.platform.settings import get_settings

# No limits of time: a loaded machine is no finding. Repeatable; ROZVODNA_EXPLORE=1 draws anew each time.
settings.register_profile(
    "rozvodna",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not os.environ.get("ROZVODNA_EXPLORE"),
)
settings.load_profile("rozvodna")

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """The tiers that a test may be marked with."""
    config.addinivalue_line("markers", "system: starts real parts (database, broker, processes)")
    config.addinivalue_line("markers", "peers: checks against a foreign implementation in a process of its own")
    config.addinivalue_line("markers", "own_parts: needs a database and a broker that may be killed and given accounts")


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a process keeps of its environment is each test's own: commands run in this process read it anew."""
    get_settings.cache_clear()
    get_clock.cache_clear()
    yield
    get_settings.cache_clear()
    get_clock.cache_clear()


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def home() -> Path:
    """The folder of state at run time: where downloads are kept."""
    return Path(os.environ.get("ROZVODNA_HOME") or ROOT / ".rozvodna").absolute()
