"""All processes of one site: simulated meters, concentrators, central's services, the sandbox of OTE, on one clock.

The demo runs it, and the tests that kill processes at random use the same.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Engine, text

from central.market.sandbox import secure as sandbox
from central.market.sandbox.secure import Ports, make_doors
from central.network.keys import signing_key
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from central.workflow import site_file
from central.workflow.load_site import load_site
from deploy.demo import render
from deploy.demo.processes import Child
from deploy.demo.scenario import render_scenario
from deploy.demo.site import CONC_ESTATE, CONC_SUBSTATION, FIRST, Site
from deploy.stack.local import LocalStack
from deploy.stack.ports import LOOPBACK, find_free_port
from edge.status import status_path
from shared.clock import ENVIRONMENT_VARIABLE, EPOCH, SharedClockControl
from shared.control.keys import key_text, signing_public

RIGHTS: Final = ["read", "operate", "switch", "settle", "invoice", "pay", "market", "admin"]
HDLC_BAUD: Final = 115_200
RTU_BAUD: Final = 19_200
POLL_S: Final = 0.05
MARKET: Final = ("sandbox", "market-callback", "market-channels")
"""Processes between us and the market operator, and its sandbox."""
MARKET_POLL_S: Final = 0.5

_UNCONSOLIDATED: Final = text("""
    SELECT (SELECT count(*) FROM batch WHERE consolidated_at IS NULL AND NOT closed) + (SELECT count(*) FROM vee_work)
""")


class PlantTimeoutError(RuntimeError):
    """Something did not happen in time."""


@dataclass(slots=True)
class Plant:
    """A site's processes below one folder. `start()` order: simulators and central first, then concentrators."""

    site: Site
    folder: Path
    stack: LocalStack
    database_url: str
    first: date = FIRST
    ingests: int = 1
    clock: SharedClockControl = field(init=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    api_port: int = field(default_factory=find_free_port)
    sandbox_port: int = field(default_factory=find_free_port)
    """For people, and where the sandbox is told what it shall bring."""
    market_ports: Ports = field(default_factory=lambda: Ports(*(find_free_port() for _ in range(4))))
    children: dict[str, Child] = field(default_factory=dict)
    scenario: dict[str, Any] = field(init=False)
    broker_kills: int = 0
    now: datetime = EPOCH
    held: set[datetime] = field(default_factory=set)
    """Instants at which the clock stood: what is read at one is expected."""
    concentrators: tuple[str, ...] = (CONC_SUBSTATION, CONC_ESTATE)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clock = SharedClockControl(self.folder / "clock")

    # Files

    @property
    def truth_log(self) -> Path:
        """What the simulators logged as true of meters without memory."""
        return self.folder / "truth.jsonl"

    @property
    def ote(self) -> Path:
        """What the sandbox of OTE keeps, and the keys of both ends."""
        return self.folder / "ote"

    @property
    def control_key(self) -> Path:
        """Central's private key."""
        return self.folder / "control.key"

    def outbox(self, concentrator: str) -> Path:
        """A concentrator's outbox."""
        return self.folder / concentrator / "outbox.sqlite"

    def write_files(self) -> None:
        """Scenario, configurations of the concentrators, site file, tokens."""
        links: dict[str, dict[str, Any]] = {
            "hdlc-1": {"kind": "serial", "path": str(self.folder / "hdlc-1"), "baud": HDLC_BAUD},
            "hdlc-2": {"kind": "serial", "path": str(self.folder / "hdlc-2"), "baud": HDLC_BAUD},
            "rtu-1": {"kind": "serial", "path": str(self.folder / "rtu-1"), "baud": RTU_BAUD},
            "dlms-tcp": {"kind": "tcp", "host": "127.0.0.1", "port": find_free_port()},
            "modbus-tcp": {"kind": "tcp", "host": "127.0.0.1", "port": find_free_port()},
        }
        self.scenario = render_scenario(self.site, links, self.truth_log)
        _write_json(self.folder / "scenario.json", self.scenario)
        state = self.stack.read_state()
        assert state is not None
        passwords = self.stack.add_edges(list(self.concentrators))
        central_key = key_text(signing_public(signing_key(self.control_key)))
        for concentrator in self.concentrators:
            folder = self.folder / concentrator
            folder.mkdir(exist_ok=True)
            password = folder / "password"
            password.touch(mode=0o600)
            password.write_text(passwords[concentrator])
            mqtt = {
                "host": state.mqtt_host,
                "port": state.mqtt_port,
                "username": self.stack.edge_user(concentrator),
                "password_file": str(password),
            }
            config = render.edge_config(self.site, concentrator, links, mqtt, self.outbox(concentrator), self.first)
            config["control"] = {"central_key": central_key, "key_file": str(folder / "edge.key")}
            _write_json(folder / "config.json", config)
        (self.folder / "site.json").write_bytes(site_file.write_site(render.central_site(self.site)))
        tokens = self.folder / "tokens.json"
        tokens.touch(mode=0o600)
        _write_json(
            tokens,
            [{"token": self.token, "name": "Předvádění", "rights": RIGHTS}],
        )
        _write_json(self.folder / "ote.json", {"senders": [self.site.operator_ean]})
        # its keys and ours, made here: the services of the market need not wait for the sandbox
        site, at = self.site, self.now
        make_doors(self.ote, LOOPBACK, self.market_ports, site.operator_ean, site.market_operator_ean, at, ())

    # Processes

    def environment(self) -> dict[str, str]:
        """What every process of the plant sees."""
        state = self.stack.read_state()
        assert state is not None
        user, password = quote(state.central_user, safe=""), quote(state.central_password, safe="")
        return {
            ENVIRONMENT_VARIABLE: str(self.clock.path),
            "ROZVODNA_HOME": str(self.stack.home),
            "ROZVODNA_DATABASE_URL": self.database_url,
            "ROZVODNA_MQTT_URL": f"mqtt://{user}:{password}@{state.mqtt_host}:{state.mqtt_port}",
            "ROZVODNA_CONTROL_KEY_FILE": str(self.control_key),
            "ROZVODNA_TOKENS_FILE": str(self.folder / "tokens.json"),
            "ROZVODNA_MARKET_CHANNELS_FILE": str(self.ote / sandbox.FOLDER / sandbox.SETTINGS_NAME),
            "ROZVODNA_MARKET_POLL_S": str(MARKET_POLL_S),
            "ROZVODNA_OTE_SENDER": self.site.operator_ean,
            "ROZVODNA_API_PORT": str(self.api_port),
        }

    def prepare_children(self) -> None:
        """The plant's processes, not started."""
        environment = self.environment()
        logs = self.folder / "logs"

        def child(name: str, module: str, *arguments: str, ready: str | None = None) -> None:
            self.children[name] = Child.python(
                name, module, *arguments, log=logs / f"{name}.log", environment=environment, ready_line=ready
            )

        child("simulators", "firmware_sims", str(self.folder / "scenario.json"), ready="ready")
        for n in range(1, self.ingests + 1):
            child(f"ingest-{n}", "central", "ingest")
        child("consolidate", "central", "consolidate")
        child("control", "central", "control")
        child("housekeeping", "central", "housekeeping")
        child("api", "central", "api", "--port", str(self.api_port))
        ports = self.market_ports
        words = {
            "--port": self.sandbox_port,
            "--soap-port": ports.soap,
            "--smtp-port": ports.smtp,
            "--imap-port": ports.imap,
            "--callback-port": ports.callback,
            "--sender": self.site.operator_ean,
            "--mail-codes": "",
            "--scenario": self.folder / "ote.json",
            "--folder": self.ote,
        }
        child("market-callback", "central", "market-callback")
        child("sandbox", "central", "ote-sandbox", "--secure", *(str(word) for pair in words.items() for word in pair))
        child("market-channels", "central", "market-channels")
        for concentrator in self.concentrators:
            child(concentrator, "edge", str(self.folder / concentrator / "config.json"))

    def start(self, *names: str) -> None:
        """Start the named processes, or all."""
        for name in names or tuple(self.children):
            self.children[name].start()

    def restart(self, name: str) -> None:
        """SIGKILL it and start it again."""
        self.children[name].kill()
        self.children[name].start()

    def kill_broker(self, pause: float) -> None:
        """SIGKILL the broker, start it again after `pause` wall seconds; one named by MQTT_URL is not ours to kill."""
        if self.stack.status().broker == "foreign":
            return
        self.stack.kill_broker()
        self.broker_kills += 1
        time.sleep(pause)
        self.stack.start_broker()

    def kills(self) -> dict[str, int]:
        """Who was killed how often."""
        killed = {name: child.kills for name, child in self.children.items() if child.kills}
        return killed if self.stack.status().broker == "foreign" else {**killed, "broker": self.broker_kills}

    def stop(self) -> None:
        """Stop all, concentrators first."""
        for child in reversed(self.children.values()):
            child.stop()

    def check(self) -> None:
        """Raise `ProcessError` if a process has ended by itself."""
        for child in self.children.values():
            child.check()

    def load(self) -> None:
        """Write the files, migrate the database, load the site into registry and network."""
        self.write_files()
        self.prepare_children()
        upgrade(self.database_url)
        engine = make_engine(self.database_url)
        with transaction(engine) as connection:
            site = site_file.read_site((self.folder / "site.json").read_bytes())
            load_site(connection, site, SYSTEM, self.now)
        engine.dispose()

    # Waiting

    def set_clock(self, instant: datetime, rate: float = 0.0) -> None:
        """Step the one clock."""
        self.clock.set(instant, rate)
        self.now = instant
        self.held.add(instant)

    def wait_for(
        self, what: str, holds: Callable[[], bool], timeout: float, meanwhile: Callable[[], object] = lambda: None
    ) -> float:
        """Wait until `holds()`, watching the processes; returns wall seconds. Raises `PlantTimeoutError`."""
        begun = time.monotonic()
        while not holds():
            self.check()
            meanwhile()
            if time.monotonic() - begun > timeout:
                raise PlantTimeoutError(
                    f"Waited {timeout:.0f} s for {what}; logs are in {self.folder / 'logs'}.{self._complaints()}"
                )
            time.sleep(POLL_S)
        return time.monotonic() - begun

    def wait_for_round(self, timeout: float = 60.0) -> float:
        """Wait until the sampling round of the instant at which the clock stands is in all outboxes."""
        return self.wait_for(
            f"the sampling round of {self.now.isoformat()}",
            lambda: all(self._sampled(concentrator) for concentrator in self.concentrators),
            timeout,
        )

    def wait_for_first_sample(self, concentrator: str, timeout: float = 60.0) -> float:
        """Wait until a meter of the concentrator has been read at the instant at which the clock stands."""

        def begun() -> bool:
            devices = self.edge_status(concentrator).get("devices", {}).values()
            return any(_reached(device["last_success"], self.now) for device in devices)

        return self.wait_for(f"a first sample of {self.now.isoformat()}", begun, timeout)

    def wait_until_delivered(self, timeout: float, meanwhile: Callable[[], object] = lambda: None) -> float:
        """Wait until the concentrators have read all that the meters hold and central has acknowledged all of it."""
        return self.wait_for(
            "all readings in evidence", lambda: all(map(self._delivered, self.concentrators)), timeout, meanwhile
        )

    def wait_until_consolidated(self, engine: Engine, timeout: float) -> float:
        """Wait until every batch in evidence has gone into the day profiles and these are validated."""

        def done() -> bool:
            with engine.connect() as connection:
                return not connection.execute(_UNCONSOLIDATED).scalar_one()

        return self.wait_for("consolidation and validation of all batches", done, timeout)

    def _sampled(self, concentrator: str) -> bool:
        status = self.edge_status(concentrator)
        return (
            bool(status)
            and _reached(status["clock"], self.now)
            and status["due"]["samples"] == 0
            and _reached(status["rounds"]["quarter-hour"]["sampled"], self.now)
        )

    def _delivered(self, concentrator: str) -> bool:
        status = self.edge_status(concentrator)
        return (
            self._sampled(concentrator)
            and status["due"]["profile_days"] == 0
            and status["due"]["live_rows"] == 0
            and status["outbox"]["pending"] == 0
            and status["outbox"]["numbered_unacked"] == 0
        )

    def _complaints(self) -> str:
        """What hinders the concentrators, as they say themselves."""
        said = {name: self.edge_status(name).get("uplink", {}).get("last_error") for name in self.concentrators}
        return "".join(f" {name}: {error}" for name, error in said.items() if error)

    def edge_status(self, concentrator: str) -> Mapping[str, Any]:
        """What the agent last wrote of itself; empty before it wrote."""
        try:
            status: Mapping[str, Any] = json.loads(status_path(self.outbox(concentrator)).read_bytes())
        except (OSError, ValueError):
            return {}
        return status


def _reached(shown: str | None, instant: datetime) -> bool:
    return shown is not None and datetime.fromisoformat(shown) >= instant


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False))
