"""The embedded stack of one home folder: TimescaleDB and mosquitto on free loopback ports, found again by any process.

`DATABASE_URL` and `MQTT_URL` take the place of the part that they name. Several instances (one per test session) share
the programs of a home and nothing else.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from deploy.stack import database, keeper, process
from deploy.stack.account import Account, choose_account
from deploy.stack.broker import CENTRAL, Broker
from deploy.stack.errors import StackError
from deploy.stack.mqtt_probe import ACCEPTED, log_in
from deploy.stack.ports import LOOPBACK, find_free_port, is_free
from deploy.stack.process import ProcessRecord
from deploy.stack.programs import Programs, require_programs

__all__ = ["LocalStack", "StackState", "StackStatus", "home_folder"]

DEFAULT_INSTANCE = "default"
_LOCK_SECONDS = 600.0  # as long as a slow first download may take
_STOP_SECONDS = 60.0


class StackState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the parts are and how to log in; stored in a file that only its owner may read."""

    database_url: str
    admin_url: str
    mqtt_host: str
    mqtt_port: int
    central_user: str
    central_password: str
    database_port: int | None = None
    database_process: ProcessRecord | None = None
    broker_process: ProcessRecord | None = None
    owner: ProcessRecord | None = None

    @property
    def mqtt_url(self) -> str:
        """Central's log-in to the broker."""
        return f"mqtt://{self.central_user}:{self.central_password}@{self.mqtt_host}:{self.mqtt_port}"


class StackStatus(msgspec.Struct, frozen=True):
    """What runs: "running", "stopped" or "foreign" (named by DATABASE_URL or MQTT_URL)."""

    database: str
    broker: str
    state: StackState | None


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of all state at run time: ROZVODNA_HOME, else .rozvodna of the source tree or the current folder."""
    top = Path(__file__).resolve().parents[2]
    base = top if (top / "pyproject.toml").exists() else Path.cwd()
    return Path(environment.get("ROZVODNA_HOME") or base / ".rozvodna").absolute()


class LocalStack:
    """The stack of one home folder; `instance` names an independent copy, `owner` the process it belongs to."""

    def __init__(
        self,
        home: Path | str | None = None,
        instance: str = DEFAULT_INSTANCE,
        environment: Mapping[str, str] = os.environ,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
        owner: ProcessRecord | None = None,
    ) -> None:
        self.home = Path(home).absolute() if home is not None else home_folder(environment)
        self.instance = instance
        self._say = say
        self._owner = owner
        self._foreign_database = environment.get("DATABASE_URL") or None
        self._foreign_broker = environment.get("MQTT_URL") or None
        self._top = self.home / "stack"
        suffix = "" if instance == DEFAULT_INSTANCE else f"-{instance}"
        self._state_file = self._top / f"state{suffix}.json"
        self._lock_file = self._top / f"{instance}.lock"
        self._account: Account | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    # The whole

    def up(self) -> StackState:
        """Start what does not run yet, wait until it is ready, say where it is. Raises StackError."""
        with self._lock():
            state = self.read_state()
            needed = not (self._foreign_database and self._foreign_broker)
            if needed and self._owner is not None:
                self.keep(self._owner, "destroy")
            programs = self._programs() if needed else None
            state = self._up_database(state, programs)
            state = self._up_broker(state, programs)
            self._write(state)
            return state

    def check(self) -> None:
        """Whether the servers that the environment names can be logged in to. Raises StackError."""
        state = self._require_state()
        if self._foreign_database:
            database.check(state.database_url)
        if self._foreign_broker:
            answer = log_in(state.mqtt_host, state.mqtt_port, state.central_user, state.central_password)
            if answer != ACCEPTED:
                said = (
                    "nobody answers there" if answer is None else f"it refuses the log-in (MQTT reason {answer:#04x})"
                )
                raise StackError(
                    f"MQTT_URL names the broker {state.mqtt_host}:{state.mqtt_port}, but {said}. "
                    "Correct it, or unset it."
                )

    def keep(self, owner: ProcessRecord, act: str, pass_fds: tuple[int, ...] = ()) -> None:
        """Let a process of its own do `act` ("down" or "destroy") should `owner` end without having done so."""
        if self._keeper is None or self._keeper.poll() is not None:
            self._keeper = keeper.start(self.home, self._folder(), self.instance, act, owner, pass_fds)

    def down(self) -> None:
        """Stop what runs of it; data stay."""
        if not self._top.exists():
            return
        with self._lock():
            state = self.read_state()
            self._end_servers(signal.SIGTERM, signal.SIGINT)  # "fast": ends connections, writes a checkpoint
            if state is not None:
                self._write(msgspec.structs.replace(state, database_process=None, broker_process=None))
        self._end_keeper()

    def destroy(self) -> None:
        """Stop it at once and remove its data (not the programs)."""
        with self._lock():
            self._end_servers(signal.SIGKILL, signal.SIGQUIT)
            shutil.rmtree(self._folder(), ignore_errors=True)
            self._state_file.unlink(missing_ok=True)
            self._lock_file.unlink(missing_ok=True)
        self._end_keeper()

    def status(self) -> StackStatus:
        """What runs now."""
        state = self.read_state()
        words = {True: "running", False: "stopped"}
        of_database = words[state is not None and process.is_running(state.database_process)]
        of_broker = words[state is not None and process.is_running(state.broker_process)]
        return StackStatus(
            "foreign" if self._foreign_database else of_database,
            "foreign" if self._foreign_broker else of_broker,
            state,
        )

    def read_state(self) -> StackState | None:
        """What the last `up` wrote; None before the first."""
        if not self._state_file.exists():
            return None
        return msgspec.json.decode(self._state_file.read_bytes(), type=StackState)

    @classmethod
    def instances(cls, home: Path) -> list[LocalStack]:
        """All instances of a home: those with a state, and those that were killed before they had one."""
        files = sorted((home / "stack").glob("state*.json"))
        names = [file.stem.removeprefix("state").removeprefix("-") or DEFAULT_INSTANCE for file in files]
        begun = sorted(
            {path.parent.name for part in ("postgres", "mosquitto") for path in home.glob(f"stack/*/{part}")}
        )
        return [cls(home, name) for name in dict.fromkeys([*names, *begun])]

    @classmethod
    def destroy_all(cls, home: Path) -> None:
        """Destroy every instance of a home; also what lies elsewhere because its account cannot reach the home."""
        for stack in cls.instances(home):
            stack.destroy()
            folder = stack._require_account().folder
            if folder != stack._top:
                shutil.rmtree(folder, ignore_errors=True)

    @classmethod
    def remove_orphans(cls, home: Path) -> None:
        """Destroy the instances whose owner is gone (a test session that was killed)."""
        for stack in cls.instances(home):
            state = stack.read_state()
            if state is not None and state.owner is not None and not process.is_running(state.owner):
                stack.destroy()

    # The database

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database with TimescaleDB in the running cluster; returns its URL. Raises StackError."""
        state = self._require_state()
        owner = None if self._foreign_database else database.OWNER
        database.create_database(state.admin_url, name, owner, template)
        return database.with_database(state.database_url, name)

    def drop_database(self, name: str) -> None:
        """Remove a database of the running cluster, if it is there."""
        database.drop_database(self._require_state().admin_url, name)

    def stop_database(self) -> None:
        """Stop the cluster in order."""
        self._end_database(signal.SIGINT)

    def kill_database(self) -> None:
        """Kill the cluster (SIGKILL), as a crash would."""
        self._end_database(signal.SIGKILL)

    def start_database(self) -> StackState:
        """Start the cluster again, on its port."""
        with self._lock():
            state = self._up_database(self._require_state(), self._programs())
            self._write(state)
            return state

    # The broker

    def add_edge(self, edge: str) -> str:
        """The password of an edge's account at the broker; made if missing. Raises StackError."""
        return self.add_edges([edge])[edge]

    def add_edges(self, edges: list[str]) -> dict[str, str]:
        """Accounts of several edges: {id: password}. With MQTT_URL, its own password for each."""
        with self._lock():
            state = self._require_state()
            if self._foreign_broker:
                return dict.fromkeys(edges, state.central_password)
            running = state.broker_process if process.is_running(state.broker_process) else None
            return self._broker().add_accounts(edges, running, state.mqtt_port)

    def edge_user(self, edge: str) -> str:
        """The account under which an edge logs in: its own id, or with MQTT_URL the account named there."""
        return self._require_state().central_user if self._foreign_broker else edge

    def stop_broker(self) -> None:
        """Stop the broker in order."""
        self._end_broker(signal.SIGTERM)

    def kill_broker(self) -> None:
        """Kill the broker (SIGKILL), as a crash would."""
        self._end_broker(signal.SIGKILL)

    def start_broker(self) -> StackState:
        """Start the broker again, on its port."""
        with self._lock():
            state = self._up_broker(self._require_state(), self._programs())
            self._write(state)
            return state

    # Inside

    def _up_database(self, state: StackState | None, programs: Programs | None) -> StackState:
        blank = state or StackState("", "", "", 0, "", "", owner=self._owner)
        if self._foreign_database:
            url = self._foreign_database
            _parsed("DATABASE_URL", url, ("postgresql", "postgres"), "postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
            return msgspec.structs.replace(blank, database_url=url, admin_url=url)
        if process.is_running(blank.database_process):
            return blank
        assert programs is not None
        cluster = database.Cluster(self._folder() / "postgres", self._require_account())
        port = _port(blank.database_port)
        record = cluster.start(programs, port)
        started = msgspec.structs.replace(
            blank, admin_url=cluster.admin_url(port), database_port=port, database_process=record
        )
        self._write(started)  # from here on `down` finds it, whatever happens next
        return msgspec.structs.replace(started, database_url=cluster.require_owner(port))

    def _up_broker(self, state: StackState, programs: Programs | None) -> StackState:
        if self._foreign_broker:
            url = _parsed("MQTT_URL", self._foreign_broker, ("mqtt",), "mqtt://USER:PASSWORD@HOST:PORT")
            user, password = unquote(url.username or ""), unquote(url.password or "")
            return msgspec.structs.replace(
                state, mqtt_host=url.hostname, mqtt_port=url.port or 1883, central_user=user, central_password=password
            )
        if process.is_running(state.broker_process):
            return state
        assert programs is not None
        broker, port = self._broker(), _port(state.mqtt_port)
        record = broker.start(programs.mosquitto, port)
        return msgspec.structs.replace(
            state,
            mqtt_host=LOOPBACK,
            mqtt_port=port,
            central_user=CENTRAL,
            central_password=broker.password_of(CENTRAL),
            broker_process=record,
        )

    def _end_servers(self, broker_signal: signal.Signals, database_signal: signal.Signals) -> None:
        """End what runs in this instance's folders, whether or not the state knows of it."""
        broker, cluster = self._folder() / "mosquitto", self._folder() / "postgres"
        process.stop(process.left_running(broker), broker_signal)
        process.end_left_running(cluster, database_signal, _STOP_SECONDS)
        process.end_left_running(broker, signal.SIGTERM, _STOP_SECONDS)

    def _end_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper.wait()
            self._keeper = None

    def _end_database(self, with_signal: signal.Signals) -> None:
        with self._lock():
            state = self._require_state()
            process.stop(state.database_process, with_signal)
            if not process.wait_until_gone(state.database_process, _STOP_SECONDS):
                raise StackError(
                    f"PostgreSQL (process {state.database_process}) did not stop within {_STOP_SECONDS:.0f} s."
                )
            self._write(msgspec.structs.replace(state, database_process=None))

    def _end_broker(self, with_signal: signal.Signals) -> None:
        with self._lock():
            state = self._require_state()
            process.stop(state.broker_process, with_signal)
            if not process.wait_until_gone(state.broker_process, _STOP_SECONDS):
                raise StackError(
                    f"mosquitto (process {state.broker_process}) did not stop within {_STOP_SECONDS:.0f} s."
                )
            self._write(msgspec.structs.replace(state, broker_process=None))

    def _require_state(self) -> StackState:
        state = self.read_state()
        if state is None:
            raise StackError(f"The stack of {self.home} was never started; call `rozvodna stack up`.")
        return state

    def _require_account(self) -> Account:
        if self._account is None:
            self._account = choose_account(self._top)
        return self._account

    def _folder(self) -> Path:
        return self._require_account().folder / self.instance

    def _broker(self) -> Broker:
        return Broker(self._folder() / "mosquitto", self._require_account())

    def _programs(self) -> Programs:
        folder = self._require_account().folder
        with _file_lock(self._top / "programs.lock"):
            return require_programs(folder, self._say)

    def _lock(self) -> AbstractContextManager[None]:
        return _file_lock(self._lock_file)

    def _write(self, state: StackState) -> None:
        written = self._state_file.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
        written.replace(self._state_file)


def _parsed(name: str, url: str, schemes: tuple[str, ...], expected: str) -> SplitResult:
    """The parts of an address that the environment names; raises StackError."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        whole = False
    if not whole:
        raise StackError(f"{name} is '{url}'; expected {expected}.")
    return parts


def _port(remembered: int | None) -> int:
    """The port of last time if it is still free, so that addresses keep; else another."""
    return remembered if remembered and is_free(remembered) else find_free_port()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """Let one process at a time change a stack."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise StackError(
                        f"Another process has held {path} for {_LOCK_SECONDS:.0f} s; end it, then call this again."
                    ) from None
                time.sleep(0.05)
        yield
