"""The real parts: a stack of the session's own (the programs are shared with the home's), a database for each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from deploy.stack import process
from deploy.stack.local import LocalStack
from deploy.stack.ports import find_free_port

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is a system test; what foreign servers cannot take is left out, loudly."""
    foreign = [name for name in ("DATABASE_URL", "MQTT_URL") if os.environ.get(name)]
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        item.add_marker(pytest.mark.system)
        if foreign and item.get_closest_marker("own_parts"):
            reason = f"kills parts or makes accounts, which those of {' and '.join(foreign)} are not ours for"
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class BrokerAccess:
    """The broker of the session and central's account; `add_edge` gives an edge's password."""

    stack: LocalStack
    host: str
    port: int
    username: str
    password: str

    @property
    def url(self) -> str:
        """Central's log-in as an address."""
        return f"mqtt://{self.username}:{self.password}@{self.host}:{self.port}"

    def add_edge(self, edge: str) -> str:
        """The password of an edge's account, made if missing."""
        return self.stack.add_edge(edge)


@pytest.fixture(scope="session")
def stack(home: Path) -> Iterator[LocalStack]:
    """The running stack of this session: a cluster and a broker of its own, removed at the end."""
    LocalStack.remove_orphans(home)
    own = LocalStack(home, instance=f"test-{os.getpid()}", owner=process.this_process())
    try:
        state = own.up()
        if not os.environ.get("DATABASE_URL"):
            # A killed process leaves what it wrote with the kernel, and no test cuts the power: waiting for the disk
            # proves nothing here, and making and dropping a database for each test did little else.
            with psycopg.connect(state.admin_url, autocommit=True) as admin:
                admin.execute("ALTER SYSTEM SET fsync = off")
                admin.execute("SELECT pg_reload_conf()")
        yield own
    finally:
        own.destroy()


@pytest.fixture(scope="session")
def migrated_template(stack: LocalStack) -> Iterator[str]:
    """The name of a database with all migrations, to make others from; nobody stays connected to it."""
    from central.platform.migrations import upgrade

    name = f"template_{uuid.uuid4().hex[:12]}"
    upgrade(stack.create_database(name))
    yield name
    stack.drop_database(name)


@pytest.fixture
def database_url(stack: LocalStack, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield stack.create_database(name, template=migrated_template)
    stack.drop_database(name)


@pytest.fixture
def empty_database_url(stack: LocalStack) -> Iterator[str]:
    """The URL of a fresh database without tables (TimescaleDB and btree_gist are there), dropped after the test."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    yield stack.create_database(name)
    stack.drop_database(name)


@pytest.fixture
def broker(stack: LocalStack) -> BrokerAccess:
    """The session's broker, running; a test that stops it starts it again."""
    state = stack.start_broker()
    return BrokerAccess(stack, state.mqtt_host, state.mqtt_port, state.central_user, state.central_password)


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nothing listens on."""
    return find_free_port()
