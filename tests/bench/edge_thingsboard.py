"""The same 50 devices through thingsboard-gateway, for comparison: only where `ROZVODNA_THINGSBOARD_PYTHON` names the
Python of an environment in which it is installed (with the pymodbus that it wants); nothing is installed here.

It is given what it can take: one connection a device, storage in memory, no rate limits, logs off, QoS 1, large packs.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.local import home_folder
from deploy.stack.ports import find_free_port
from deploy.stack.programs import require_programs
from firmware_sims.swarm import VALUES
from tests.bench.edge_live import DEVICES, child, cpu_s, device_id, family, free_ports

ENVIRONMENT_VARIABLE: Final = "ROZVODNA_THINGSBOARD_PYTHON"
PERIOD_MS: Final = 50
SETTLE_S: Final = 15.0
SECONDS: Final = 20.0
NO_LIMIT: Final = "0:0,"


def thingsboard(number: int) -> dict[str, float]:
    """One run, printed; no keys of the result file. Says why it is left out where it is."""
    python = os.environ.get(ENVIRONMENT_VARIABLE)
    if python is None:
        if number == 0:
            print(
                "The comparison with thingsboard-gateway is left out: install it in an environment of its own and name "
                f"that one's Python in {ENVIRONMENT_VARIABLE}."
            )
        return {}
    with TemporaryDirectory(prefix="edge-thingsboard-") as text:
        folder = Path(text)
        ports, broker_port = free_ports(DEVICES), find_free_port()
        swarm = ["firmware_sims.swarm", "--ports", f"{ports[0]}-{ports[-1]}", "--log", str(folder / "answers")]
        write_configuration(folder, ports, broker_port)
        with (
            broker(folder, broker_port),
            Platform(broker_port) as platform,
            child(swarm, folder / "log", "ready"),
            gateway(python, folder) as pid,
        ):
            time.sleep(SETTLE_S)
            before = {one: cpu_s(one) for one in family(pid)}
            points, begun = platform.points, time.monotonic()
            time.sleep(SECONDS)
            took = time.monotonic() - begun
            return {
                "thingsboard_values_per_s": (platform.points - points) / took,
                "thingsboard_core_share": sum(cpu_s(one) - used for one, used in before.items()) / took,
                "thingsboard_rss_mb": psutil.Process(pid).memory_info().rss / 1e6,
            }


def write_configuration(folder: Path, ports: range, broker_port: int) -> None:
    """The gateway's three files."""
    limits = ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits", "deviceRateLimits")
    thingsboard = {
        "host": "127.0.0.1",
        "port": broker_port,
        "remoteShell": False,
        "remoteConfiguration": False,
        "statistics": {"enable": False},
        "maxPayloadSizeBytes": 65536,
        "minPackSendDelayMS": 10,
        "minPackSizeToSend": 5000,
        "checkConnectorsConfigurationInSeconds": 3600,
        "security": {"type": "accessToken", "accessToken": "bench"},
        "qos": 1,
        **dict.fromkeys((*limits, "deviceDpRateLimits"), NO_LIMIT),
    }
    slaves = [
        {
            "host": "127.0.0.1",
            "port": port,
            "type": "tcp",
            "method": "socket",
            "unitId": 1,
            "deviceName": device_id(number),
            "deviceType": "default",
            "timeout": 5,
            "byteOrder": "BIG",
            "wordOrder": "BIG",
            "pollPeriod": PERIOD_MS,
            "timeseries": [
                {"tag": f"v{place}", "type": "32float", "functionCode": 4, "objectsCount": 2, "address": 2 * place}
                for place in range(VALUES)
            ],
            "attributes": [],
            "attributeUpdates": [],
            "rpc": [],
        }
        for number, port in enumerate(ports)
    ]
    connector = {"type": "modbus", "name": "bench", "configuration": "modbus.json"}
    storage = {"type": "memory", "read_records_count": 1000, "max_records_count": 100_000}
    whole = {"thingsboard": thingsboard, "storage": storage, "grpc": {"enabled": False}, "connectors": [connector]}
    quiet = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {},
        "loggers": {},
        "root": {"level": "CRITICAL"},
    }
    for name, content in (("tb_gateway", whole), ("modbus", {"master": {"slaves": slaves}}), ("logs", quiet)):
        (folder / f"{name}.json").write_text(json.dumps(content))


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    """A broker that lets everybody in, on loopback."""
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {getuser()}\nmax_queued_messages 0\nlog_type none\n"
    )
    program = require_programs(home_folder() / "stack", print).mosquitto
    started = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        started.terminate()
        started.wait(10)


@contextmanager
def gateway(python: str, folder: Path) -> Iterator[int]:
    """The gateway's process id."""
    command = [python, "-c", "from thingsboard_gateway.tb_gateway import main; main()"]
    with (folder / "gateway.log").open("ab") as log:
        started = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "TB_GW_CONFIG_DIR": str(folder)}
        )
    try:
        yield started.pid
        if started.poll() is not None:
            raise RuntimeError(f"The gateway ended: {(folder / 'gateway.log').read_text()[-1000:]}")
    finally:
        started.kill()
        started.wait(10)


class Platform:
    """What the gateway believes to be ThingsBoard: answers what it asks at the start and counts data points."""

    def __init__(self, port: int) -> None:
        self.points = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "platform")
        self._client.on_connect = self._subscribe
        self._client.on_message = self._hear
        self._port = port

    def __enter__(self) -> "Platform":
        deadline = time.monotonic() + 10
        while True:
            try:
                self._client.connect("127.0.0.1", self._port)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe([("v1/gateway/telemetry", 1), ("v1/devices/me/rpc/request/+", 1)])

    def _hear(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        if message.topic.startswith("v1/devices/me/rpc/request/"):
            answer = {"maxPayloadSize": 65536, "maxInflightMessages": 10_000, "rateLimits": {}, "gatewayRateLimits": {}}
            number = message.topic.rpartition("/")[2]
            self._client.publish(f"v1/devices/me/rpc/response/{number}", json.dumps(answer), 1)
            return
        packs = json.loads(message.payload)
        self.points += sum(len(entry.get("values", entry)) for pack in packs.values() for entry in pack)
