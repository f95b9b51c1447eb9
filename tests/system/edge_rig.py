"""Parts for system tests of the agent: simulators, agent processes, and a central that only keeps and answers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.uplink.link import Message
from edge.uplink.testing import CentralModel
from shared.clock import ENVIRONMENT_VARIABLE, SharedClockControl


class ListeningCentral:
    """`CentralModel` on a real broker, in a thread of its own."""

    def __init__(self, host: str, port: int, username: str, password: str) -> None:
        self.model = CentralModel()
        self.lock = threading.Lock()
        self.answering = True
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "test-central", protocol=paho.MQTTv5)
        self._client.username_pw_set(username, password)
        self._client.on_connect = self._subscribe
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(host, port, clean_start=True)
        self._client.loop_start()

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe([("rzv/1/+/data", 1), ("rzv/1/+/state", 1)])

    def _hear(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        if not self.answering:
            return
        pairs = getattr(message.properties, "UserProperty", None) or []
        with self.lock:
            answers = self.model.hear(Message(message.topic, bytes(message.payload), list(pairs)))
        for answer in answers:
            self._client.publish(answer.topic, answer.payload, 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Rig:
    """Simulators and agents that share one clock, below `folder`."""

    def __init__(self, folder: Path, start: datetime) -> None:
        self.folder = folder
        self.clock = SharedClockControl(folder / "clock")
        self.clock.set(start)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self) -> dict[str, str]:
        return {**os.environ, ENVIRONMENT_VARIABLE: str(self.clock.path)}

    def start_simulators(self, scenario: dict[str, Any]) -> None:
        path = self.folder / "scenario.json"
        path.write_text(json.dumps(scenario))
        process = subprocess.Popen(
            [sys.executable, "-m", "firmware_sims", str(path)],
            stdout=subprocess.PIPE,
            stderr=(self.folder / "sims.log").open("ab"),
            env=self.environment(),
        )
        self.processes["simulators"] = process
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == b"ready\n", (line, (self.folder / "sims.log").read_text())

    def outbox(self, edge: str) -> Path:
        return self.folder / edge / "outbox.sqlite"

    def start_agent(self, config: dict[str, Any]) -> None:
        edge = config["edge"]
        path = self.folder / f"{edge}.json"
        path.write_text(json.dumps(config))
        self.processes[edge] = subprocess.Popen(
            [sys.executable, "-m", "edge", str(path)],
            stderr=(self.folder / f"{edge}.log").open("ab"),
            env=self.environment(),
        )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name: str, timeout: float = 60.0) -> int:
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(timeout)

    def status(self, edge: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.outbox(edge).with_name("status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def wait(self, what: str, holds: Callable[[], bool], timeout: float = 60.0) -> float:
        begun = time.monotonic()
        while not holds():
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.log(name)}"
            if time.monotonic() - begun > timeout:
                raise AssertionError(f"waited {timeout} s for {what}\n" + "\n".join(map(self.log, self.processes)))
            time.sleep(0.05)
        return time.monotonic() - begun

    def log(self, name: str) -> str:
        path = self.folder / ("sims.log" if name == "simulators" else f"{name}.log")
        return path.read_text()[-3000:] if path.exists() else ""

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
