"""The embedded stack itself: real PostgreSQL with TimescaleDB, real mosquitto with its ACL."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.stack import process
from deploy.stack.errors import StackError
from deploy.stack.local import LocalStack
from deploy.stack.mqtt_probe import ACCEPTED, log_in

pytestmark = pytest.mark.own_parts

NOT_AUTHORIZED = 0x87


@pytest.fixture(scope="module")
def own(home: Path) -> Iterator[LocalStack]:
    """A stack of this module's own: its tests stop and kill it. Never one that the environment names."""
    stack = LocalStack(home, f"test-stack-{os.getpid()}", environment={}, owner=process.this_process())
    try:
        stack.up()
        yield stack
    finally:
        stack.destroy()


def test_timescaledb_is_there_and_safe_settings_are_on(own: LocalStack) -> None:
    state = own.up()
    with psycopg.connect(state.database_url) as connection:
        extensions = {row[0] for row in connection.execute("SELECT extname FROM pg_extension")}
        assert {"timescaledb", "btree_gist"} <= extensions
        for setting, expected in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "jit": "off",
            "timescaledb.telemetry_level": "off",
            "listen_addresses": "127.0.0.1",
            "TimeZone": "UTC",
        }.items():
            assert connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (expected,), setting
        connection.execute("CREATE TABLE sample (at timestamptz NOT NULL, value int)")
        connection.execute("SELECT create_hypertable('sample', 'at')")
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        connection.rollback()
        assert connection.info.server_version >= 170000


def test_no_log_in_without_the_password(own: LocalStack) -> None:
    state = own.up()
    for url in (state.database_url, state.admin_url):
        head, tail = url.split("@")
        wrong = f"{head.rsplit(':', 1)[0]}:wrong@{tail}"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    assert log_in(state.mqtt_host, state.mqtt_port, state.central_user, "wrong") == NOT_AUTHORIZED


def test_passwords_lie_in_private_files(own: LocalStack) -> None:
    state = own.up()
    secrets = {
        state.central_password,
        *(url.split("@")[0].rsplit(":", 1)[1] for url in (state.database_url, state.admin_url)),
    }
    files = list((own.home / "stack").glob(f"*{own.instance}*"))
    files += [path for top in files if top.is_dir() for path in top.rglob("*") if "data-" not in str(path)]
    holding = [path for path in files if path.is_file() and any(secret in path.read_text() for secret in secrets)]
    assert holding
    assert [path for path in holding if stat.S_IMODE(path.stat().st_mode) != 0o600] == []


def test_up_again_changes_nothing_and_down_up_keeps_data_and_addresses(own: LocalStack) -> None:
    before = own.up()
    assert own.up() == before
    with psycopg.connect(before.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    password = own.add_edge("KEPT-1")

    own.down()
    assert (own.status().database, own.status().broker) == ("stopped", "stopped")
    assert log_in(before.mqtt_host, before.mqtt_port, before.central_user, before.central_password) is None

    # Another object finds it by the home alone, as another program would.
    after = LocalStack(own.home, own.instance, environment={}).up()
    assert (after.database_url, after.mqtt_url) == (before.database_url, before.mqtt_url)
    assert (own.status().database, own.status().broker) == ("running", "running")
    with psycopg.connect(after.database_url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
    assert log_in(after.mqtt_host, after.mqtt_port, "KEPT-1", password) == ACCEPTED


def test_databases_are_made_copied_and_dropped(own: LocalStack) -> None:
    own.up()
    first = own.create_database("first")
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE sample (at timestamptz NOT NULL, value int)")
        connection.execute("SELECT create_hypertable('sample', 'at')")
        connection.execute("INSERT INTO sample VALUES ('2026-03-29T00:00Z', 3)")
    with psycopg.connect(own.create_database("second", template="first")) as connection:
        assert connection.execute("SELECT value FROM sample").fetchone() == (3,)
        connection.execute("INSERT INTO sample VALUES ('2026-07-01T00:00Z', 4)")
    with psycopg.connect(first) as connection:
        assert connection.execute("SELECT count(*) FROM sample").fetchone() == (1,)
    with pytest.raises(StackError, match=r"The database first could not be made: .*already exists"):
        own.create_database("first")
    for name in ("first", "second", "first"):
        own.drop_database(name)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first)


def test_killed_parts_come_back_with_what_was_committed(own: LocalStack) -> None:
    before = own.up()
    with psycopg.connect(before.database_url) as connection:
        connection.execute("CREATE TABLE survivor AS SELECT 8 AS value")
    own.kill_database()
    own.kill_broker()
    assert (own.status().database, own.status().broker) == ("stopped", "stopped")
    own.start_database()
    after = own.start_broker()
    assert (after.database_url, after.mqtt_url) == (before.database_url, before.mqtt_url)
    with psycopg.connect(after.database_url) as connection:
        assert connection.execute("SELECT value FROM survivor").fetchone() == (8,)


def test_a_taken_port_is_given_up(own: LocalStack) -> None:
    before = own.up()
    own.stop_broker()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((before.mqtt_host, before.mqtt_port))
        squatter.listen()
        after = own.start_broker()
    assert after.mqtt_port != before.mqtt_port
    assert log_in(after.mqtt_host, after.mqtt_port, after.central_user, after.central_password) == ACCEPTED


def test_orphans_of_a_killed_session_are_removed(own: LocalStack, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": own.up().database_url, "MQTT_URL": own.up().mqtt_url}
    gone = process.ProcessRecord(pid=os.getpid(), started=1, boot="another boot")
    LocalStack(tmp_path, "test-1", environment, owner=gone).up()
    LocalStack(tmp_path, "test-2", environment, owner=process.this_process()).up()
    LocalStack(tmp_path, environment=environment).up()
    LocalStack.remove_orphans(tmp_path)
    assert {stack.instance for stack in LocalStack.instances(tmp_path)} == {"test-2", "default"}


OWNER = """
import sys
from deploy.stack import process
from deploy.stack.local import LocalStack
LocalStack(sys.argv[1], sys.argv[2], environment={}, owner=process.this_process()).up()
print("up", flush=True)
sys.stdin.read()
"""


def test_servers_end_with_a_killed_owner(own: LocalStack, root: Path) -> None:
    instance = f"test-owned-{os.getpid()}"
    command = [sys.executable, "-c", OWNER, str(own.home), instance]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"up\n"
        state = LocalStack(own.home, instance, environment={}).read_state()
        assert state is not None and process.is_running(state.database_process)
        owner.kill()
    assert process.wait_until_gone(state.database_process, 20)
    assert process.wait_until_gone(state.broker_process, 20)
    end = time.monotonic() + 60
    while (own.home / "stack" / instance).exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_servers_end_with_a_killed_owner_whose_folder_is_gone(own: LocalStack, root: Path, tmp_path: Path) -> None:
    if (downloads := own.home / "stack" / "packages").exists():
        shutil.copytree(downloads, tmp_path / "stack" / "packages")
    command = [sys.executable, "-c", OWNER, str(tmp_path), "test-gone"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None and owner.stdout.readline() == b"up\n"
        state = LocalStack(tmp_path, "test-gone", environment={}).read_state()
        assert state is not None and process.is_running(state.broker_process)
        shutil.rmtree(tmp_path / "stack")
        owner.kill()
    assert process.wait_until_gone(state.database_process, 20)
    assert process.wait_until_gone(state.broker_process, 20)
    assert not (tmp_path / "stack").exists()


def test_servers_whose_starter_was_killed_are_found(own: LocalStack) -> None:
    before = own.up()
    own._state_file.unlink()  # as if it had been killed before it wrote
    after = own.up()
    assert not process.is_running(before.database_process)
    assert not process.is_running(before.broker_process)
    assert process.is_running(after.database_process)
    with psycopg.connect(after.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


async def test_edge_publishes_and_reads_only_below_its_own_id(own: LocalStack) -> None:
    state = own.up()
    passwords = own.add_edges(["CONC-1", "CONC-2"])
    assert own.add_edges(["CONC-1"]) == {"CONC-1": passwords["CONC-1"]}

    def client(user: str, password: str) -> aiomqtt.Client:
        return aiomqtt.Client(
            state.mqtt_host, state.mqtt_port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5
        )

    async with (
        client(state.central_user, state.central_password) as central,
        client("CONC-1", passwords["CONC-1"]) as first,
        client("CONC-2", passwords["CONC-2"]) as second,
    ):
        await central.subscribe("$share/ingest/rzv/1/+/data", qos=1)
        await second.subscribe("rzv/1/CONC-1/#", qos=1)
        await second.subscribe("rzv/1/CONC-2/ack", qos=1)
        await first.publish("rzv/1/CONC-1/data", b"mine", qos=1)
        await second.publish("rzv/1/CONC-2/data", b"other", qos=1)
        received = {str((message := await _next(central)).topic): message.payload for _ in range(2)}
        assert received == {"rzv/1/CONC-1/data": b"mine", "rzv/1/CONC-2/data": b"other"}

        # What belongs to CONC-1 does not reach CONC-2, although it asked for it: its own message comes first.
        await central.publish("rzv/1/CONC-1/ack", b"not yours", qos=1)
        await central.publish("rzv/1/CONC-2/ack", b"yours", qos=1)
        assert (await _next(second)).payload == b"yours"


def test_publish_below_another_id_is_refused_by_its_acknowledgement(own: LocalStack) -> None:
    state = own.up()
    password = own.add_edge("CONC-1")
    answers: dict[int, int] = {}

    def on_publish(
        _client: object, _data: object, message: int, reason: paho.ReasonCode, _properties: Properties
    ) -> None:
        answers[message] = reason.value

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    connected = threading.Event()
    client.on_publish = on_publish
    client.on_connect = lambda *_: connected.set()
    client.username_pw_set("CONC-1", password)
    client.connect(state.mqtt_host, state.mqtt_port)
    client.loop_start()
    ended: list[object] = []
    client.on_disconnect = lambda *reason: ended.append(reason)
    try:
        assert connected.wait(10)
        foreign = client.publish("rzv/1/CONC-2/data", b"x", qos=1)
        foreign.wait_for_publish(10)
        own_topic = client.publish("rzv/1/CONC-1/data", b"x", qos=1)
        own_topic.wait_for_publish(10)
        client.on_disconnect = None
    finally:
        client.disconnect()
        client.loop_stop()
    assert answers[foreign.mid] == NOT_AUTHORIZED
    assert ended == [], "a refusal does not end the connection"
    # 0x10: accepted, nobody is subscribed at the moment.
    assert answers[own_topic.mid] in (0x00, 0x10)


async def test_a_slow_reader_loses_nothing_beyond_the_brokers_default_of_a_thousand(own: LocalStack) -> None:
    state = own.up()
    password = own.add_edge("CONC-1")
    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 60

    def central(fresh: bool) -> aiomqtt.Client:
        return aiomqtt.Client(
            state.mqtt_host,
            state.mqtt_port,
            username=state.central_user,
            password=state.central_password,
            identifier="slow",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=fresh,
            properties=session,
        )

    count = 1500
    async with central(fresh=True) as reader:
        await reader.subscribe("rzv/1/+/data", qos=1)
    async with aiomqtt.Client(
        state.mqtt_host, state.mqtt_port, username="CONC-1", password=password, protocol=aiomqtt.ProtocolVersion.V5
    ) as edge:
        for number in range(count):
            await edge.publish("rzv/1/CONC-1/data", number.to_bytes(4, "little"), qos=1)
    async with central(fresh=False) as reader:
        numbers = [int.from_bytes(_payload(await _next(reader)), "little") for _ in range(count)]
    assert numbers == list(range(count))


def _payload(message: aiomqtt.Message) -> bytes:
    assert isinstance(message.payload, bytes)
    return message.payload


async def _next(client: aiomqtt.Client) -> aiomqtt.Message:
    return await asyncio.wait_for(anext(aiter(client.messages)), 60)
