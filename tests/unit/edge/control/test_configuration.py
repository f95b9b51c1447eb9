"""Pushed configurations: what is refused and why, what is kept, what a start falls back to."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge import inspect
from edge.config import EdgeConfig
from edge.control.configurator import Configurator
from edge.control.events import Events
from edge.control.pushed import parse_pushed
from edge.control.store import STARTS_MOST, ConfigurationStore
from edge.errors import ConfigError
from edge.outbox.model import Deposit, Lane, RegisterStretch
from edge.outbox.outbox import Outbox
from edge.plant import Plant, Prepared
from edge.schedule import SampleMark
from edge.timeline import Known, Stretch
from shared.control.messages import Configuration, ConfigurationResult, open_configuration
from shared.testing import ManualClock
from tests.unit.edge.control_examples import FORGER, PUBLIC, local_config, local_data, pushed
from tests.unit.edge.examples import MARCH, edge_config, interval_block, sdm630


def configuration(number: int = 7, edge: str = "CONC-1", **body: Any) -> Configuration:
    return Configuration(edge=edge, number=number, body=json.dumps({"buses": [], **body}).encode())


def test_what_it_leaves_out_is_the_local_files() -> None:
    found = parse_pushed(configuration(outbox={"path": "outbox.sqlite", "budget_mb": 5}), local_config())
    assert (found.edge, found.number, found.mqtt) == ("CONC-1", 7, local_config().mqtt)
    assert found.outbox.budget_mb == 5
    assert found.control == local_config().control


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"mqtt": {"host": "elsewhere"}}, r"at mqtt: .*elsewhere.* differs from the local file's .*restart the agent"),
        ({"outbox": {"path": "other.sqlite"}}, r'at outbox\.path: "other\.sqlite" differs .*"outbox\.sqlite"'),
        ({"control": None}, r"at control: null differs"),
        ({"edge": "CONC-2"}, r"at edge: it is for 'CONC-2', and this concentrator is 'CONC-1'"),
        ({"number": 6}, r"at number: it is 6, but was sent as 7"),
        ({"busses": []}, r"pushed configuration 7, at the top level: Object contains unknown field `busses`"),
        (
            {"buses": [{"name": "b", "protocol": "modbus-tcp", "link": {"kind": "tcp", "host": "h", "port": 1},
                        "devices": [sdm630("X", 0)]}]},
            r"pushed configuration 7, at buses\[0\]\.devices\[0\]\.address: .* from 1 to 247; found 0",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_source_place_value_and_expectation(body: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        octets = json.dumps({"buses": [], **body}).encode()
        parse_pushed(Configuration(edge="CONC-1", number=7, body=octets), local_config())


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(octets: bytes) -> None:
    with pytest.raises(ConfigError, match="pushed configuration 7"):
        parse_pushed(Configuration(edge="CONC-1", number=7, body=octets), local_config())


def test_a_message_for_another_concentrator_is_refused() -> None:
    with pytest.raises(ConfigError, match="for 'CONC-9'"):
        parse_pushed(configuration(edge="CONC-9"), local_config())


class FakeHost:
    """Runs what it is given, with a real plant behind it for `prepare`."""

    def __init__(self, local: EdgeConfig) -> None:
        self.plant = Plant(local, ManualClock(MARCH))

    @property
    def config(self) -> EdgeConfig:
        return self.plant.config

    def prepare(self, config: EdgeConfig) -> Prepared:
        return self.plant.prepare(config)

    async def change(self, prepared: Prepared) -> None:
        self.plant.config = prepared.config


class Rig:
    """A configurator with everything around it."""

    def __init__(self, folder: Path, outbox: Outbox) -> None:
        self.folder = folder
        self.outbox = outbox
        self.answers: list[ConfigurationResult] = []
        self.host = FakeHost(local_config())
        self.store = ConfigurationStore(folder / "configuration.msgpack", PUBLIC)
        clock = ManualClock(MARCH)
        self.configurator = Configurator(
            local_config(), PUBLIC, self.store, self.host, Events(outbox, clock), clock, self.answers.append
        )

    def reopened(self) -> ConfigurationStore:
        return ConfigurationStore(self.folder / "configuration.msgpack", PUBLIC)


@pytest.fixture
async def rig(tmp_path: Path) -> Any:
    outbox = await Outbox.open(tmp_path / "outbox.sqlite")
    yield Rig(tmp_path, outbox)
    await outbox.close()


def events(rig: Rig) -> list[tuple[str, object]]:
    return [(r.kind, r.data.get("number")) for r in inspect.committed_records(rig.folder / "outbox.sqlite")]


async def test_a_good_one_runs_is_kept_and_told(rig: Rig) -> None:
    assert await rig.configurator.take(pushed(5))
    assert rig.host.config.number == 5
    assert [(a.number, a.runs, a.reason) for a in rig.answers] == [(5, 5, "")]
    assert rig.reopened().choose(local_config()).config.number == 5
    assert events(rig) == [("configuration-runs", 5)]
    assert not await rig.configurator.take(pushed(5)), "the same again"
    assert rig.answers[1:] == [rig.answers[0]]
    assert len(events(rig)) == 1


async def test_applying_one_touches_nothing_in_the_outbox_but_adds_its_event(rig: Rig, tmp_path: Path) -> None:
    def content() -> dict[str, list[Any]]:
        with closing(sqlite3.connect(f"file:{tmp_path / 'outbox.sqlite'}?mode=ro", uri=True)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}

    read = RegisterStretch("LU-1", "1-0:1.29.0", Stretch(0, 900_000, Known.READ))
    block = interval_block("LU-1", 0, [1])
    await rig.outbox.deposit(Deposit([block], [], Lane.BACKFILL, [read], ("EA-1", SampleMark(MARCH, MARCH))))
    await rig.outbox.number(7, 64, 10_000)
    await rig.outbox.deposit(Deposit([block], [], Lane.BACKFILL, [read]))
    before = content()
    assert await rig.configurator.take(pushed(5, buses=[])), "also one without the devices that it knows"
    after = content()
    assert len(after["pending"]) == len(before["pending"]) + 1
    assert after["pending"][: len(before["pending"])] == before["pending"]
    kept = sorted(before.keys() - {"pending", "sqlite_sequence"})
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert {"batch", "batch_body", "batch_span", "progress_stretch", "progress_sample", "meta"} <= set(kept)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (pushed(5, private=FORGER), "is trusted here"),
        (pushed(1), "The configuration 1 is not newer than 1, which runs here"),
        (pushed(5, edge="CONC-2"), "for 'CONC-2'"),
        (pushed(5, buses=[{"name": "x"}]), r"at buses\[0\]: Object missing required field"),
        (b"\x00", "is no signed message"),
    ],
)
async def test_a_bad_one_is_refused_and_told_and_the_old_one_goes_on(rig: Rig, message: bytes, reason: str) -> None:
    assert not await rig.configurator.take(message)
    assert rig.host.config.number == 1
    (answer,) = rig.answers
    assert answer.runs == 1
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(answer.reason)
    assert rig.reopened().choose(local_config()).config.number == 1
    assert [kind for kind, _ in events(rig)] == ["configuration-refused"]
    await rig.configurator.take(message)
    assert rig.answers[1] == answer
    assert len(events(rig)) == 1, "told again, but no event for each delivery"


async def test_a_file_that_a_device_names_must_be_there(rig: Rig) -> None:
    buses = local_data()["buses"]
    buses[0]["devices"][0]["password_file"] = str(rig.folder / "none")
    assert not await rig.configurator.take(pushed(5, buses=buses))
    assert "password file" in rig.answers[0].reason
    assert not (rig.folder / "configuration.msgpack").exists()


async def test_a_fault_of_ours_in_a_driver_is_told_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: EdgeConfig) -> Prepared:
        raise ZeroDivisionError("in a driver")

    monkeypatch.setattr(rig.host, "prepare", broken)
    assert not await rig.configurator.take(pushed(5))
    (answer,) = rig.answers
    assert (answer.number, answer.runs) == (5, 1)
    assert "cannot be put on the lines: ZeroDivisionError('in a driver')" in answer.reason


async def test_a_message_with_any_octet_changed_is_refused(rig: Rig) -> None:
    message = pushed(5, buses=[])
    for place in range(0, len(message), 41):
        changed = bytearray(message)
        changed[place] ^= 0x20
        assert not await rig.configurator.take(bytes(changed))
    assert rig.host.config.number == 1


# -- starts


def kept(folder: Path, *messages: bytes) -> ConfigurationStore:
    store = ConfigurationStore(folder / "configuration.msgpack", PUBLIC)
    for n, message in enumerate(messages):
        store.accept(message, runs_pushed=n > 0)
        store.settled()
    return store


def start(folder: Path, local: EdgeConfig | None = None) -> tuple[int, list[int]]:
    """As an agent does that dies at once."""
    store = ConfigurationStore(folder / "configuration.msgpack", PUBLIC)
    chosen = store.choose(local or local_config())
    store.started(chosen.config.number)
    return chosen.config.number, [number for number, _ in chosen.notes]


def test_after_failed_starts_the_one_before_runs_for_good(tmp_path: Path) -> None:
    kept(tmp_path, pushed(5), pushed(6))
    assert [start(tmp_path) for _ in range(STARTS_MOST)] == [(6, [])] * STARTS_MOST
    assert start(tmp_path) == (5, [6])
    assert start(tmp_path) == (5, [])
    store = ConfigurationStore(tmp_path / "configuration.msgpack", PUBLIC)
    assert "ended the agent 3 times" in store.failure(pushed(6))
    assert [start(tmp_path) for _ in range(2)] == [(5, []), (1, [5])], "and then the local file"


def test_a_start_that_settles_is_none_that_failed(tmp_path: Path) -> None:
    kept(tmp_path, pushed(6))
    for _ in range(3 * STARTS_MOST):
        assert start(tmp_path) == (6, [])
        ConfigurationStore(tmp_path / "configuration.msgpack", PUBLIC).settled()


async def test_one_that_ended_the_agent_is_refused_when_it_comes_again(rig: Rig) -> None:
    kept(rig.folder, pushed(6))
    for _ in range(STARTS_MOST + 1):
        start(rig.folder)
    again = Configurator(
        local_config(), PUBLIC, rig.reopened(), rig.host, rig.configurator._events, ManualClock(MARCH),
        rig.answers.append,
    )  # fmt: skip
    assert not await again.take(pushed(6))
    assert "ended the agent" in rig.answers[0].reason
    assert await again.take(pushed(7))


def test_the_newest_number_wins_and_a_broken_file_is_none(tmp_path: Path) -> None:
    kept(tmp_path, pushed(5))
    newer = local_data() | {"number": 8}

    assert start(tmp_path, edge_config(newer)) == (8, [])
    (tmp_path / "configuration.msgpack").write_bytes(b"\xc1torn")
    assert start(tmp_path) == (1, [])


def test_one_that_the_local_file_contradicts_now_is_passed_over_this_time(tmp_path: Path) -> None:
    kept(tmp_path, pushed(4), pushed(5, mqtt=local_data()["mqtt"]))

    moved = edge_config(local_data() | {"mqtt": {"host": "new"}})
    assert start(tmp_path, moved) == (4, [5])
    assert start(tmp_path) == (5, [])


def test_another_key_of_central_makes_the_kept_ones_worthless(tmp_path: Path) -> None:
    kept(tmp_path, pushed(5))
    store = ConfigurationStore(tmp_path / "configuration.msgpack", bytes(32))
    assert store.choose(local_config()).config.number == 1
    assert open_configuration(pushed(5), PUBLIC).number == 5
