"""From a customer in the registry to a profile that goes on over an exchange, and no file is edited on the way: API,
control service, ingest, broker, the agent as a process, simulated meters.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from central.network.keys import signing_key
from central.platform.database import make_engine
from central.readings.consolidate import consolidate_once
from firmware_sims.scenario import load_scenario
from firmware_sims.truth import Truth
from shared.clock import SharedClock
from shared.control.keys import key_text, signing_public
from shared.metering_day import days_between
from shared.quantities import Commodity
from tests.system.conftest import BrokerAccess
from tests.system.edge_rig import Rig
from tests.system.network_rig import EAN, Api, api
from tests.system.test_edge import config, scenario

pytestmark = pytest.mark.own_parts

EDGE = "CONC-7"
MOUNTED = datetime(2026, 3, 2, 23, tzinfo=UTC)
"""Midnight of 3 March."""
EXCHANGED = datetime(2026, 3, 4, 9, tzinfo=UTC)
"""Ten o'clock on the 4th."""
END = datetime(2026, 3, 5, 23, tzinfo=UTC)
DAYS = days_between(Commodity.ELECTRICITY, date(2026, 3, 3), date(2026, 3, 6))
TOTAL = "1-0:1.8.0"
TEMPLATE = {
    "models": ["dlms-sim"],
    "commodity": "electricity",
    "device": {
        "model": "dlms",
        "address": {"client": 16, "server": 1},
        "profile": {
            "obis": "1-0:99.1.0",
            "step_s": 900,
            "registers": [{"obis": name, "unit": "Wh", "register": name} for name in ("1-0:1.29.0", "1-0:2.29.0")],
        },
        "states": {"at": "month", "registers": [{"obis": TOTAL, "unit": "Wh", "register": TOTAL}]},
    },
    "registers": [
        {"register": "1-0:1.29.0", "feeds": "A+"},
        {"register": "1-0:2.29.0", "feeds": "A-"},
        {"register": TOTAL, "feeds": "JT", "digits": 9},
    ],
}


class Parts:
    """Ingest and control as processes over the database of the API."""

    def __init__(self, rig: Rig, database_url: str, broker: BrokerAccess) -> None:
        self.rig = rig
        self.url = database_url
        key_file = rig.folder / "control.key"
        self.public = signing_public(signing_key(key_file))
        self.environment = {
            **os.environ,
            **rig.environment(),
            "ROZVODNA_DATABASE_URL": database_url,
            "ROZVODNA_MQTT_URL": broker.url,
            "ROZVODNA_HOME": str(rig.folder),
            "ROZVODNA_CONTROL_KEY_FILE": str(key_file),
            "ROZVODNA_STORE_KEY_FILE": str(rig.folder / "store.key"),
        }

    def start(self, name: str) -> None:
        self.rig.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "central", name],
            stdout=(self.rig.folder / f"{name}.log").open("ab"),
            stderr=subprocess.STDOUT,
            env=self.environment,
        )

    def number(self, query: str, *parameters: object) -> int:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return int(row[0] or 0)

    def runs(self, number: int) -> bool:
        return self.number("SELECT max(runs) FROM concentrator_state WHERE concentrator = %s", EDGE) == number

    def arrived(self, meter: str, since: datetime, until: datetime) -> bool:
        """Whether every quarter-hour of both directions is in evidence: what is new is told before the past."""
        return (
            self.number(
                "SELECT count(*) FROM (SELECT FROM block b JOIN evidence_channel e ON e.id = b.evidence_channel "
                "CROSS JOIN generate_series(%s::timestamptz, %s::timestamptz - interval '15 min', '15 min') AS quarter "
                "WHERE e.device = %s AND e.kind = 'interval' AND quarter >= b.start "
                "AND quarter < b.start + cardinality(b.values) * b.step * interval '1 ms' "
                "GROUP BY e.id HAVING count(DISTINCT quarter) = %s) AS whole",
                since,
                until,
                meter,
                (until - since) // timedelta(minutes=15),
            )
            == 2
        )


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    found = Rig(tmp_path, MOUNTED + timedelta(hours=10, minutes=2))
    yield found
    found.close()


@pytest.fixture
async def central(rig: Rig, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    clock = SharedClock(rig.clock.path)
    async with api(database_url, clock, tmp_path, monkeypatch) as opened:
        yield opened
        rig.close()


async def register(central: Api, rig: Rig) -> None:
    """A customer with a supply point and a contract, two meters, their concentrator and its line."""
    await central.supply_point()
    await central.post("/v1/concentrators", {"id": EDGE, "name": "TS 7", "place": "rozvodna"})
    for name in ("LU-1", "LU-2"):
        spec = {"id": name, "serial": name, "model": "dlms-sim", "commodity": "electricity", "concentrator": EDGE}
        await central.post("/v1/meters", spec)
    link = {"kind": "serial", "path": str(rig.folder / "hdlc-1"), "baud": 115200}
    bus = {"name": "hdlc-1", "protocol": "hdlc", "link": link}
    await central.post(f"/v1/concentrators/{EDGE}/buses", bus)
    await central.call("PUT", "/v1/meter-templates/dlms-sim", {"template": TEMPLATE, "reason": "nový typ"})
    await central.call("PUT", f"/v1/concentrators/{EDGE}/management", {"reason": "z evidence"})
    await central.post("/v1/measuring-points", {"name": "Hala", "commodity": "electricity"})


def mounted(meter: str, physical: int, state: int) -> dict[str, Any]:
    return {
        "meter": meter,
        "template": "dlms-sim",
        "states": [{"register": TOTAL, "value": state}],
        "attachment": {"concentrator": EDGE, "bus": "hdlc-1", "address": {"server": 1, "physical": physical}},
        "supply_point": EAN,
    }


async def test_a_meter_put_into_the_registry_is_read_and_its_channel_goes_on_over_an_exchange(
    central: Api, rig: Rig, database_url: str, broker: BrokerAccess, free_port: int
) -> None:
    world = scenario(rig.folder, free_port)
    world["lines"] = world["lines"][:1]
    rig.start_simulators(world)
    truth = Truth(load_scenario(rig.folder / "scenario.json"))
    parts = Parts(rig, database_url, broker)
    parts.start("ingest")
    parts.start("control")
    local = config(rig.folder, free_port, broker)
    local |= {"number": 0, "buses": [], "control": {"central_key": key_text(parts.public)}}
    rig.start_agent(local)
    await register(central, rig)
    (version,) = await central.get(f"/v1/concentrators/{EDGE}/configurations")
    assert version["number"] == 1, "no meter yet: an empty configuration"

    # A meter is hung: the concentrator takes the configuration and reads it from its metering day on.
    body = {
        "at": MOUNTED.isoformat(),
        "reason": "nový odběratel",
        "mounted": mounted("LU-1", 17, truth.state_at("LU-1", TOTAL, MOUNTED)),
    }
    await central.post("/v1/measuring-points/Hala/mounting", body)
    rig.wait("the meter's configuration", lambda: parts.runs(2))
    rig.clock.set(EXCHANGED + timedelta(minutes=1))
    rig.wait("LU-1 up to the exchange", lambda: parts.arrived("LU-1", MOUNTED, EXCHANGED))

    # Exchanged at ten o'clock by another at another address.
    exchange = {
        "at": EXCHANGED.isoformat(),
        "reason": "konec platnosti cejchu",
        "removed": {
            "meter": "LU-1",
            "states": [{"register": TOTAL, "value": truth.state_at("LU-1", TOTAL, EXCHANGED)}],
        },
        "mounted": mounted("LU-2", 18, truth.state_at("LU-2", TOTAL, EXCHANGED)),
    }
    act = await central.post("/v1/measuring-points/Hala/exchange", exchange)
    assert act["documents"][0]["media_type"] == "application/pdf"
    rig.wait("the other meter's configuration", lambda: parts.runs(3))
    assert set(rig.status(EDGE)["buses"]) == {"hdlc-1"}
    rig.clock.set(END + timedelta(minutes=1))
    rig.wait("LU-2 up to the end", lambda: parts.arrived("LU-2", EXCHANGED, END))

    engine = make_engine(database_url)
    while consolidate_once(engine, SharedClock(rig.clock.path)).worked:
        pass
    for direction, name in (("A+", "1-0:1.29.0"), ("A-", "1-0:2.29.0")):
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT DISTINCT ON (p.day) p.day, p.values, p.missing FROM day_profile p "
                "JOIN channel c ON c.id = p.channel WHERE c.point = 'Hala' AND c.direction = %s "
                "AND p.day BETWEEN '2026-03-03' AND '2026-03-05' ORDER BY p.day, p.version DESC",
                (direction,),
            ).all()
        assert [(row.day, row.missing) for row in rows] == [(day.date, 0) for day in DAYS]
        found = [value for row in rows for value in row.values]
        assert found == [
            *truth.interval_values("LU-1", name, MOUNTED, EXCHANGED),
            *truth.interval_values("LU-2", name, EXCHANGED, END),
        ]
    engine.dispose()
