"""Control from central's database to a meter and back, through real parts: control service, ingest, broker, agent,
simulated meters.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from central.network import commands, configurations
from central.network.keys import signing_key
from central.platform.database import make_engine, transaction
from central.platform.identity import Person
from edge import inspect
from edge.bus.owner import Priority, Turn
from edge.config import parse_config
from edge.control.store import STARTS_MOST
from edge.drivers.port import SwitchSession
from edge.plant import make_bus, make_device
from shared.clock import SystemClock
from shared.control.keys import key_text, signing_public
from shared.control.messages import Command, Disconnect, sign_command
from shared.metering_day import PRAGUE
from shared.wire import command_topic, result_topic
from tests.system.conftest import BrokerAccess
from tests.system.edge_rig import Rig
from tests.system.test_edge import EDGE, MARCH, config, scenario

pytestmark = pytest.mark.own_parts

ANNA = Person("Anna", frozenset({"read", "operate", "switch"}))
BOB = Person("Bob", frozenset({"read", "operate", "switch"}))
QUARTER = timedelta(minutes=15)
START = MARCH + timedelta(days=3, minutes=7)


class CentralParts:
    """Control and ingest as processes over one database; the registry knows the meters of the scenario."""

    def __init__(self, folder: Path, database_url: str, broker: BrokerAccess, rig: Rig) -> None:
        self.url = database_url
        self.rig = rig
        self.broker = broker
        self.engine = make_engine(database_url)
        self.key_file = folder / "control.key"
        self.private = signing_key(self.key_file)
        self.public = signing_public(self.private)
        self.environment = {
            **rig.environment(),
            "ROZVODNA_DATABASE_URL": database_url,
            "ROZVODNA_MQTT_URL": broker.url,
            "ROZVODNA_HOME": str(folder),
            "ROZVODNA_CONTROL_KEY_FILE": str(self.key_file),
        }
        with psycopg.connect(database_url) as connection:
            connection.execute("INSERT INTO concentrator (id, name, place) VALUES (%s, %s, '')", [EDGE, EDGE])
            for meter, model in [("LU-1", "dlms"), ("LU-2", "dlms"), *((f"EA-{n}", "sdm630") for n in range(1, 5))]:
                connection.execute(
                    "INSERT INTO meter (id, serial, model, commodity, concentrator) VALUES (%s, %s, %s, "
                    "'electricity', %s)",
                    [meter, meter, model, EDGE],
                )
                registers = [("1-0:1.8.0", 1 if model == "sdm630" else 0, "state", 0)]
                if model == "dlms":
                    registers += [(name, 0, "interval", 900_000) for name in ("1-0:1.29.0", "1-0:2.29.0")]
                for register, exponent, kind, step in registers:
                    connection.execute(
                        "INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms) "
                        "VALUES (%s, %s, %s, 'Wh', %s, %s, %s)",
                        [EDGE, meter, register, exponent, kind, step],
                    )

    def start(self, name: str) -> None:
        self.rig.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "central", name],
            stdout=(self.rig.folder / f"{name}.log").open("ab"),
            stderr=subprocess.STDOUT,
            env=self.environment,
        )

    def put(self, buses: list[dict[str, Any]], **more: Any) -> int:
        with transaction(self.engine) as connection:
            now = datetime.now(UTC)
            return configurations.put(connection, EDGE, {"buses": buses, **more}, "test", ANNA, now)

    def state(self) -> dict[str, Any]:
        with transaction(self.engine) as connection:
            found = configurations.find_state(connection, EDGE)
            return dict(found) if found else {}

    def issue(self, work: dict[str, Any], now: datetime) -> str:
        with transaction(self.engine) as connection:
            life = timedelta(minutes=5)
            return str(commands.issue(connection, EDGE, work, "test", life, ANNA, now)["id"])

    def confirm(self, identifier: str, now: datetime) -> None:
        with transaction(self.engine) as connection:
            commands.confirm(connection, identifier, BOB, now)

    def command(self, identifier: str) -> dict[str, Any]:
        with transaction(self.engine) as connection:
            return dict(commands.require(connection, identifier))

    def ended(self, identifier: str) -> bool:
        return self.command(identifier)["state"] not in ("proposed", "queued", "sent", "accepted")

    def number(self, query: str, *parameters: object) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path, START)
    yield found
    found.close()


@pytest.fixture
def central(tmp_path: Path, database_url: str, broker: BrokerAccess, rig: Rig) -> Iterator[CentralParts]:
    found = CentralParts(tmp_path, database_url, broker, rig)
    yield found
    rig.close()
    found.engine.dispose()


def wait(rig: Rig, what: str, holds: Callable[[], bool], timeout: float = 60.0) -> None:
    rig.wait(what, holds, timeout)


def retained(broker: BrokerAccess, topic: str) -> bytes:
    """What the broker keeps under a topic."""
    found: list[bytes] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "test-retained", protocol=paho.MQTTv5)
    client.username_pw_set(broker.username, broker.password)
    client.on_connect = lambda *_: client.subscribe(topic, 1)
    client.on_message = lambda _client, _data, message: found.append(bytes(message.payload))
    client.connect(broker.host, broker.port, clean_start=True)
    deadline = time.monotonic() + 60
    while not found and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return found[0] if found else b""


def publish(broker: BrokerAccess, topic: str, body: bytes, times: int = 1) -> None:
    """As whoever holds central's account could."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "test-forger", protocol=paho.MQTTv5)
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port, clean_start=True)
    client.loop_start()
    for _ in range(times):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = result_topic(EDGE)
        client.publish(topic, body, 1, properties=properties).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def local(rig: Rig, port: int, broker: BrokerAccess, central: CentralParts) -> dict[str, Any]:
    """Two buses, one meter on each; the third bus comes from central."""
    data = config(rig.folder, port, broker)
    data |= {"number": 1, "control": {"central_key": key_text(central.public)}}
    data["buses"] = data["buses"][:2]
    data["buses"][1]["devices"] = data["buses"][1]["devices"][:1]
    return data


def sampled(central: CentralParts, device: str) -> int:
    return central.number(
        "SELECT count(*) FROM register_reading r JOIN evidence_channel e ON e.id = r.evidence_channel "
        "WHERE e.device = %s",
        device,
    )


def test_a_pushed_configuration_runs_and_a_bad_one_is_refused(
    rig: Rig, central: CentralParts, broker: BrokerAccess, free_port: int
) -> None:
    rig.start_simulators(scenario(rig.folder, free_port))
    central.start("ingest")
    central.start("control")
    settings = local(rig, free_port, broker, central)
    rig.start_agent(settings)
    wait(rig, "the agent's birth", lambda: central.state().get("online") is True)
    assert central.state()["runs"] == 1
    wait(rig, "the lines", lambda: all(bus["state"] == "up" for bus in rig.status(EDGE)["buses"].values()))

    buses = [*config(rig.folder, free_port, broker)["buses"]]
    buses[1]["devices"][1] = {"id": "EA-2", "template": "sdm630", "address": {"unit": 2}}
    number = central.put(buses)
    wait(rig, "the number confirmed", lambda: central.state()["runs"] == number)
    rig.clock.set(START + QUARTER)
    rig.clock.set(MARCH + timedelta(days=3, minutes=15, seconds=1))
    for device in ("EA-1", "EA-2", "EA-3"):
        wait(rig, f"readings of {device}", lambda device=device: sampled(central, device) >= 1)
    wait(rig, "the status", lambda: rig.status(EDGE)["config_number"] == number)
    buses_now = rig.status(EDGE)["buses"]
    assert set(buses_now) == {"hdlc-1", "rtu-1", "tcp-1"}
    # No line was connected anew but for a meter's failure (a loaded machine lets one time out).
    assert [name for name, bus in buses_now.items() if bus["connections"] > 1 + bus["failed"]] == []

    # A mistake that only the concentrator can see: its broker is its own file's.
    refused = central.put(buses, mqtt={"host": "elsewhere"})
    wait(rig, "the refusal", lambda: central.state()["refused_number"] == refused)
    reason = central.state()["refused_reason"]
    assert f"pushed configuration {refused}, at mqtt: " in reason
    assert "differs from the local file's" in reason
    assert central.state()["runs"] == number
    wait(
        rig,
        "the events",
        lambda: (
            central.number("SELECT count(*) FROM edge_event WHERE kind IN ('configuration-runs')") == 1
            and central.number("SELECT count(*) FROM edge_event WHERE kind = 'configuration-refused'") == 1
        ),
    )

    # Neither a kill of the agent nor of the broker takes the configuration away.
    rig.kill(EDGE)
    broker.stack.kill_broker()
    broker.stack.start_broker()
    rig.start_agent(settings)
    wait(rig, "the same number after a kill", lambda: rig.status(EDGE).get("config_number") == number)
    wait(rig, "the birth", lambda: central.state()["online"] is True)
    rig.clock.set(MARCH + timedelta(days=3, minutes=30, seconds=1))
    wait(rig, "further readings", lambda: sampled(central, "EA-3") >= 2)
    assert len(retained(broker, f"rzv/1/{EDGE}/config")) > 500, "published again after the broker's restart"
    fixed = central.put(buses[1:])
    wait(rig, "the next number", lambda: central.state()["runs"] == fixed)
    wait(rig, "its result", lambda: central.state()["refused_number"] is None)
    wait(rig, "the line that is gone", lambda: set(rig.status(EDGE)["buses"]) == {"rtu-1", "tcp-1"})

    # As if it ended the agent again and again: the one before runs, and central hears why.
    for _ in range(STARTS_MOST):
        epoch = rig.status(EDGE)["epoch"]
        rig.kill(EDGE)
        rig.start_agent(settings)
        wait(rig, "another start", lambda epoch=epoch: rig.status(EDGE)["epoch"] != epoch)
    wait(rig, "the one before", lambda: central.state()["runs"] == number)
    wait(rig, "the reason", lambda: central.state()["refused_number"] == fixed)
    assert "ended the agent 3 times" in central.state()["refused_reason"]
    wait(rig, "the line that is there again", lambda: "hdlc-1" in rig.status(EDGE)["buses"])


def test_what_central_did_not_sign_is_refused_and_what_it_orders_is_done(
    rig: Rig, central: CentralParts, broker: BrokerAccess, free_port: int
) -> None:
    rig.start_simulators(scenario(rig.folder, free_port))
    central.start("control")
    settings = local(rig, free_port, broker, central)
    rig.start_agent(settings)
    wait(rig, "the agent's birth", lambda: central.state().get("online") is True)
    outbox = rig.outbox(EDGE)

    now_ms = int(START.timestamp() * 1000)
    order = Command(id="f-1", edge=EDGE, issued=now_ms, expires=now_ms + 60_000, work=Disconnect(device="LU-1"))
    publish(broker, command_topic(EDGE), sign_command(order, bytes(range(32))))
    wait(
        rig,
        "the refusal of a forged command",
        lambda: any(r.kind == "command-refused" for r in inspect.committed_records(outbox)),
    )
    assert rig.status(EDGE)["buses"]["hdlc-1"]["failed"] == 0

    read = central.issue({"act": "read_now", "device": "EA-1"}, START)
    wait(rig, "the reading", lambda: central.ended(read))
    found = central.command(read)
    assert found["state"] == "done", found
    assert found["result"]["states"][0]["register"] == "1-0:1.8.0"

    broker.stack.kill_database()
    time.sleep(1.0)
    broker.stack.start_database()
    late = central.issue({"act": "read_now", "device": "EA-1"}, START)
    wait(rig, "a command after the database's restart", lambda: central.ended(late))
    assert central.command(late)["state"] == "done"

    os.kill(rig.processes["control"].pid, signal.SIGKILL)
    rig.processes.pop("control").wait()
    restart = central.issue({"act": "restart_bus", "bus": "rtu-1"}, START)
    central.start("control")
    wait(rig, "a command that was issued while nobody sent", lambda: central.ended(restart))
    assert central.command(restart)["state"] == "done"
    wait(rig, "the bus", lambda: rig.status(EDGE)["buses"]["rtu-1"]["connections"] == 2)
    rig.kill(EDGE)
    away = central.issue({"act": "read_now", "device": "EA-1"}, START)
    wait(rig, "a command to nobody", lambda: central.command(away)["state"] == "sent")
    rig.start_agent(settings)
    wait(rig, "the one that came back", lambda: central.ended(away))
    assert central.command(away)["state"] == "done"
    nowhere = central.issue({"act": "restart_bus", "bus": "rtu-9"}, START)
    wait(rig, "the refusal", lambda: central.ended(nowhere))
    assert (central.command(nowhere)["state"], central.command(nowhere)["why"]) == (
        "refused",
        "There is no bus 'rtu-9' here; there are hdlc-1, rtu-1.",
    )


def test_a_key_given_to_central_opens_a_ciphered_meter_and_stands_nowhere(
    rig: Rig, central: CentralParts, broker: BrokerAccess, free_port: int
) -> None:
    guek, gak = "6b65792d746f2d656e63727970742121", "6b65792d746f2d61757468656e746963"
    world = scenario(rig.folder, free_port)
    secured = {"encryption_key": guek, "authentication_key": gak, "last_counter": 5000}
    world["lines"][0]["meters"][1] |= {"security": {"1": secured}}
    rig.start_simulators(world)
    central.start("control")
    settings = local(rig, free_port, broker, central)
    settings["control"]["key_file"] = str(rig.folder / "keys" / "edge.key")
    (rig.folder / "enrol.json").write_text(json.dumps(settings))
    run = partial(subprocess.run, env=central.environment, check=True, capture_output=True)
    printed = run([sys.executable, "-m", "edge", "enrol", str(rig.folder / "enrol.json")]).stdout
    enrolled = run([sys.executable, "-m", "central", "enrol", "-"], input=printed).stdout
    assert json.loads(enrolled)["key_id"] == json.loads(printed)["key_id"]
    rig.start_agent(settings)
    wait(rig, "the agent's birth", lambda: central.state().get("online") is True)

    buses = config(rig.folder, free_port, broker)["buses"][:2]
    buses[0]["devices"][1] |= {
        "address": {"client": 1, "server": 1, "physical": 18},
        "security": {
            "client_title": "525A560000000007",
            "encryption_key": {"secret": f"hex:{guek}"},
            "authentication_key": {"secret": f"hex:{gak}"},
        },
    }
    number = central.put(buses)
    wait(rig, "the number", lambda: central.state()["runs"] == number)
    read = central.issue({"act": "read_now", "device": "LU-2"}, START)
    wait(rig, "the reading", lambda: central.ended(read))
    assert central.command(read)["state"] == "done", central.command(read)
    diagnostics = central.issue({"act": "send_diagnostics"}, START)
    wait(rig, "the diagnostics", lambda: central.ended(diagnostics))
    sent = central.command(diagnostics)["result"]
    assert sent["configuration"]["number"] == number
    with transaction(central.engine) as connection:
        body = configurations.require(connection, EDGE, number)["body"]
    assert body.count('"sealed"') == 2
    for place in (body, str(sent), rig.log(EDGE), rig.log("control")):
        assert guek not in place and gak not in place
    assert "(left out)" in str(sent)


def test_a_breaker_moves_once_though_the_order_comes_again_and_again(
    rig: Rig, central: CentralParts, broker: BrokerAccess, free_port: int
) -> None:
    world = scenario(rig.folder, free_port)
    world["lines"][0]["meters"][0]["switch_mode"] = 4
    rig.start_simulators(world)
    central.start("ingest")
    central.start("control")
    settings = local(rig, free_port, broker, central)
    rig.start_agent(settings)
    wait(rig, "the agent's birth", lambda: central.state().get("online") is True)
    outbox = rig.outbox(EDGE)

    disconnect = central.issue({"act": "disconnect", "device": "LU-1"}, START)
    read = central.issue({"act": "read_now", "device": "EA-1"}, START)
    wait(rig, "what was issued later", lambda: central.ended(read))
    assert central.command(disconnect)["state"] == "proposed", "nobody has confirmed it"
    central.confirm(disconnect, START)
    wait(rig, "the disconnect", lambda: central.ended(disconnect))
    found = central.command(disconnect)
    assert (found["state"], found["result"]["closed"]) == ("done", False), found

    reconnect = central.issue({"act": "reconnect", "device": "LU-1"}, START)
    wait(rig, "the reconnect", lambda: central.ended(reconnect))
    assert central.command(reconnect)["result"]["closed"] is True
    with transaction(central.engine) as connection:
        order = commands.message_of(commands.require(connection, disconnect))
    publish(broker, command_topic(EDGE), sign_command(order, central.private), times=3)
    again = central.issue({"act": "read_now", "device": "LU-1"}, START)
    wait(rig, "what came after the three", lambda: central.ended(again))
    done = [r.data["id"] for r in inspect.committed_records(outbox) if r.kind == "command" and r.device == "LU-1"]
    assert [identifier for identifier in done if identifier in (disconnect, reconnect)] == [disconnect, reconnect]

    # The meter itself says what the three deliveries did: nothing.
    assert rig.stop(EDGE) == 0
    assert asyncio.run(breaker_closed(settings)) is True


async def breaker_closed(settings: dict[str, Any]) -> bool:
    """What the meter LU-1 shows to another client."""
    config = parse_config(json.dumps(settings | {"control": None}).encode(), "test")
    running = make_bus(config.buses[0], SystemClock())
    device = make_device(config.buses[0].devices[0], running, SystemClock())
    task = asyncio.create_task(running.bus.run())

    async def ask(turn: Turn) -> bool:
        async with device.driver.session(turn.line) as meter:
            assert isinstance(meter, SwitchSession)
            return (await meter.read_switch()).closed

    try:
        return await running.bus.submit("LU-1", Priority.COMMAND, ask)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_days_are_filled_again(rig: Rig, central: CentralParts, broker: BrokerAccess, free_port: int) -> None:
    rig.start_simulators(scenario(rig.folder, free_port))
    central.start("ingest")
    central.start("control")
    rig.start_agent(local(rig, free_port, broker, central))
    first = MARCH.astimezone(PRAGUE).date()
    wait(
        rig,
        "the days of both registers",
        lambda: central.number("SELECT count(*) FROM block WHERE start < '2026-03-03T23:00:00Z'") >= 6,
    )
    fill = central.issue(
        {"act": "fill_range", "device": "LU-1", "first": str(first), "last": str(first + timedelta(days=1))}, START
    )
    wait(rig, "the order to fill", lambda: central.ended(fill))
    assert central.command(fill)["state"] == "done", central.command(fill)
    twice = """
        SELECT count(*) FROM (SELECT FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel
            WHERE e.device = 'LU-1' GROUP BY e.id, b.start
            HAVING count(*) = 2 AND bool_or(marks & 1 = 1) AND sum(cardinality(values)) = 2 * 96) AS days
    """
    wait(rig, "two days of two registers again, marked", lambda: central.number(twice) == 2 * 2)
