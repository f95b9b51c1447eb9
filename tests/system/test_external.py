"""External information over a real HTTP server: what comes, what does not, the breaker, and a kill in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from central.platform.database import transaction
from central.platform.external.breaker import MOST_FAILURES, PAUSE
from central.platform.settings import Settings
from central.workflow.external.worker import start
from central.workflow.prepare import prepare
from deploy.stack.local import LocalStack
from shared.identifiers import make_ean18
from shared.metering_day import PRAGUE
from tests.system.external_rig import House, Outside, Reply, open_house, outside_server
from tests.unit.central.tariffs.price_decision import written as workbook

MONDAY = "02.03.2026 #41\nzemě|měna|množství|kód|kurz\nEMU|euro|1|EUR|25,150\n"
LIST = Reply(body=MONDAY.encode())
CORRECTED = Reply(body=MONDAY.replace("25,150", "25,155").encode())
RUN = {"from": "2026-03-02", "to": "2026-03-02"}


@pytest.fixture(scope="module")
def server() -> Iterator[Outside]:
    with outside_server() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(scope="module")
def opened(stack: LocalStack, migrated_template: str, server: Outside, folder: Path) -> Iterator[House]:
    """One database for all tests here: making it takes longer than they do."""
    name = f"external_{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        url = stack.create_database(name, template=migrated_template)
        with open_house(url, patch, [f"127.0.0.1:{server.port}"], folder) as house:
            yield house
    stack.drop_database(name)


@pytest.fixture
def house(opened: House) -> Iterator[House]:
    yield opened
    opened.forget()


@pytest.fixture
def outside(server: Outside) -> Outside:
    server.asked.clear()
    return server


def test_what_comes_is_stored_once_with_source_and_time_and_a_change_is_a_new_version(
    house: House, outside: Outside
) -> None:
    outside.answers(Reply.zipped(MONDAY.encode()), LIST, CORRECTED)
    house.set_up("cnb", "cnb-rates", [outside.url], settings={"days_back": 0}, daily_at="14:30")
    assert house.worker.look() == 1  # never run: at once
    assert house.worker.look() == 0
    assert outside.asked == ["/rates?date=02.03.2026"]
    state = house.source("cnb")
    assert (state["breaker"], state["error"], state["last_success"][:16]) == ("closed", None, "2026-03-02T13:00")
    assert state["next_run"][:16] == "2026-03-02T13:30"
    house.ask("cnb", RUN)
    assert house.worker.look() == 1  # the same again: nothing new
    house.clock.set(house.clock.now() + timedelta(minutes=30))
    assert house.worker.look() == 1  # by schedule, corrected
    versions = house.get("/v1/external/series/cnb.rate/values", all_versions=True)
    assert [(row["version"], row["content"]["rate"]) for row in versions] == [(1, "25.15"), (2, "25.155")]
    assert versions[0]["source"] == "cnb"
    assert versions[0]["address"] == outside.url + "?date=02.03.2026"
    assert versions[0]["fetched_at"] < versions[1]["fetched_at"]
    spring = {"from": "2026-03-01T00:00:00+01:00", "to": "2026-04-01T00:00:00+02:00"}
    (newest,) = house.get("/v1/external/series/cnb.rate/values", **spring)
    assert newest["version"] == 2
    assert [row["series"] for row in house.get("/v1/external/series")] == ["cnb.rate"]
    assert [(row["outcome"], row["added"], row["changed"]) for row in house.fetches("cnb")] == [
        ("taken", 0, 1),
        ("taken", 0, 0),
        ("taken", 1, 0),
    ]
    assert house.sql("SELECT count(*) FROM external_content") == 2  # equal octets are kept once


def test_what_does_not_come_is_on_record_with_the_reason(house: House, outside: Outside) -> None:
    house.set_up("cnb", "cnb-rates", [outside.url], settings={"days_back": 0})
    refused = {
        "did not answer in 0.6 s": Reply(drips=True),
        "status 500": Reply(500, b"<html>Internal error</html>"),
        "more than 50000 octets": Reply(body=b"x" * 50_001),
        "more than 50000 octets; no": Reply.zipped(b"0" * 5_000_000),
        "another place": Reply(302, headers={"Location": "http://localhost/rates"}),
        "redirects more than 3": Reply(302, headers={"Location": "/rates"}),
        "a page": Reply(body=b"<!DOCTYPE html><html>Udrzba</html>"),
        "not gzip": Reply(body=b"plain", headers={"Content-Encoding": "gzip"}),
        "cannot be read (ValueError": Reply(body=MONDAY.replace("|1|", f"|{'9' * 5000}|").encode()),
        "coding 'br'": Reply(body=b"plain", headers={"Content-Encoding": "br"}),
    }
    for said, reply in refused.items():
        outside.answers(reply)
        house.do("UPDATE external_source SET breaker = 'closed', failures = 0")
        house.do("UPDATE external_run SET state = 'failed', ended_at = asked_at WHERE state = 'waiting'")
        house.ask("cnb", RUN)
        assert house.worker.look() == 1
        assert said in house.source("cnb")["error"]
    assert house.sql("SELECT count(*) FROM external_value") == 0
    assert house.sql("SELECT count(*) FROM external_taking WHERE outcome = 'unreadable'") == 2
    # What an error page said is kept too.
    assert house.sql("SELECT count(*) FROM external_content WHERE octets = '<html>Internal error</html>'") == 1
    outside.answers(Reply(307, headers={"Location": "/moved"}), LIST)
    house.ask("cnb", RUN)
    house.clock.set(house.clock.now() + timedelta(minutes=1))
    house.worker.look()
    assert outside.asked[-1] in ("/moved", "/rates?date=02.03.2026")
    assert house.source("cnb")["last_success"] is not None


def test_the_breaker_opens_pauses_and_closes_and_the_second_address_stands_in(house: House, outside: Outside) -> None:
    outside.answers(Reply(503))
    house.set_up("cnb", "cnb-rates", [outside.url], settings={"days_back": 0})
    house.ask("cnb", RUN)
    for _ in range(MOST_FAILURES):
        assert house.worker.look() == 1
        assert house.worker.look() == 0  # waits after a failure
        house.clock.set(house.clock.now() + timedelta(minutes=17))
    state = house.source("cnb")
    assert (state["breaker"], state["failures"], state["waiting"]) == ("open", MOST_FAILURES, 1)
    assert (
        'rozvodna_external_breaker_state{adapter="cnb-rates",source="cnb"} 2.0'
        in house.client.get("/v1/external/metrics").text.splitlines()
    )
    assert state["next_run"] == state["reopens_at"]
    asked = len(outside.asked)
    assert house.worker.look() == 0
    assert len(outside.asked) == asked  # nothing is asked while it is open
    house.clock.set(house.clock.now() + PAUSE)
    assert house.worker.look() == 1  # half open, and failed once more
    assert house.source("cnb")["breaker"] == "open"
    house.clock.set(house.clock.now() + PAUSE + PAUSE)
    second = outside.url.replace("/rates", "/other")
    house.set_up("cnb", "cnb-rates", [outside.url, second], settings={"days_back": 0})
    outside.answers(Reply(503), LIST)
    assert house.worker.look() == 1
    assert outside.asked[-1].startswith("/other")
    state = house.source("cnb")
    assert (state["breaker"], state["failures"], state["error"], state["waiting"]) == ("closed", 0, None, 0)
    (run,) = house.get("/v1/external/sources/cnb/runs")
    assert (run["state"], run["attempts"], run["asked_by"]) == ("done", MOST_FAILURES + 2, "op")


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from central.platform.database import make_engine
from central.platform.external.trust import Trust
from central.workflow.external import worker
from shared.testing import ManualClock
worker._taken = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
clock = ManualClock(datetime(2026, 3, 2, 13, 0, tzinfo=UTC))
worker.Worker(make_engine(sys.argv[1]), clock, Trust(frozenset([sys.argv[2]]), True)).look()
"""


def test_killed_between_fetching_and_storing_nothing_is_lost_nor_asked_again(house: House, outside: Outside) -> None:
    outside.answers(LIST)
    house.set_up("cnb", "cnb-rates", [outside.url], settings={"days_back": 0})
    house.ask("cnb", RUN)
    command = [sys.executable, "-c", KILLED, house.url, f"127.0.0.1:{outside.port}"]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert (house.sql("SELECT count(*) FROM external_fetch"), house.sql("SELECT count(*) FROM external_value")) == (
        1,
        0,
    )
    assert house.worker.look() == 1
    assert len(outside.asked) == 1
    (run,) = house.get("/v1/external/sources/cnb/runs")
    assert run["state"] == "done"
    (value,) = house.get("/v1/external/series/cnb.rate/values")
    assert value["content"]["rate"] == "25.15"


def test_a_folder_is_read_file_by_file_each_content_once(house: House, folder: Path) -> None:
    folder = folder / "rates"
    house.set_up("cnb", "cnb-rates", [folder.as_uri()])
    house.ask("cnb")
    house.worker.look()
    assert "no folder" in house.source("cnb")["error"]
    folder.mkdir()
    (folder / "a.txt").write_bytes(LIST.body)
    (folder / "b.txt").write_bytes(b"<html>")
    (folder / "c.part").write_bytes(CORRECTED.body)
    (folder / "d.txt").write_bytes(b"x" * 50_001)
    house.clock.set(house.clock.now() + timedelta(minutes=1))
    assert house.worker.look() == 1
    error = house.source("cnb")["error"]
    assert "a page" in error
    assert "more than 50000" in error
    (folder / "b.txt").unlink()
    (folder / "d.txt").unlink()
    house.clock.set(house.clock.now() + timedelta(minutes=2))
    assert house.worker.look() == 1
    assert house.source("cnb")["error"] is None
    assert house.sql("SELECT count(*) FROM external_fetch WHERE part = 'a.txt'") == 1
    assert len(house.get("/v1/external/series/cnb.rate/values")) == 1


def test_only_trusted_places_and_known_settings_are_taken(house: House, outside: Outside) -> None:
    url = outside.url
    assert house.set_up("x", "cnb-rates", ["http://127.0.0.1/rates"], 422)["code"] == "untrusted_host"
    assert house.set_up("x", "cnb-rates", ["file:///etc"], 422)["code"] == "untrusted_folder"
    assert house.set_up("x", "nobody", [url], 404)["code"] == "adapter_not_found"
    assert house.set_up("x", "cnb-rates", [url], 422, settings={"a": 1})["code"] == "external_settings"
    assert house.set_up("x", "cnb-rates", [url], 422, daily_at="01:00", every_minutes=5)["code"] == "schedule"
    house.set_up("cnb", "cnb-rates", [url], active=False)
    assert house.set_up("cnb", "ote-gas", [url], 409)["code"] == "other_adapter"
    assert house.ask("cnb", status=409)["code"] == "source_inactive"
    assert house.ask("cnb", {"from": "2026-03-01"}, 422)["code"] == "external_settings"
    assert house.ask("nobody", status=404)["code"] == "external_source_not_found"
    assert house.source("cnb")["next_run"] is None
    assert {row["name"] for row in house.get("/v1/external/adapters")} >= {"cnb-rates", "ote-day-ahead"}
    # A host that is trusted no more is not asked, whatever is stored.
    house.set_up("cnb", "cnb-rates", [url])
    house.do("UPDATE external_source SET addresses = '{https://elsewhere.example/}'")
    house.ask("cnb", RUN)
    assert house.worker.look() == 1
    assert "not trusted" in house.source("cnb")["error"]
    assert outside.asked == []


def test_calorific_values_go_where_entered_ones_are(house: House, outside: Outside) -> None:
    outside.answers(Reply(body=b"day;value\n28.3.2026;10,6789\n29.3.2026;10,6812\n"))
    house.set_up("hs", "calorific", [outside.url], settings={"areas": {"": "GN1"}})
    house.ask("hs")
    house.worker.look()
    (run,) = house.get("/v1/external/sources/hs/runs")
    assert run["state"] == "failed"  # what is missing here another attempt would not mend
    assert "GN1" in run["error"]
    assert house.source("hs")["breaker"] == "closed"
    house.post("/v1/gas/areas", {"id": "GN1", "name": "Vlčí Důl", "source": "web"}, 201)
    house.ask("hs")
    house.worker.look()
    assert house.source("hs")["error"] is None
    outside.answers(Reply(body=b"day;value\n28.3.2026;10,6790\n29.3.2026;10,6812\n"))
    house.ask("hs")
    house.worker.look()
    period = {"area": "GN1", "from": "2026-03-01", "to": "2026-04-01", "all_versions": True}
    values = house.get("/v1/gas/calorific-values", **period)
    assert [(row["first"][-2:], row["version"], float(row["value"])) for row in values] == [
        ("28", 1, 10.6789),
        ("28", 2, 10.679),
        ("29", 1, 10.6812),
    ]
    assert values[0]["kind"] == "downloaded"
    assert outside.url in values[0]["source"]
    assert [(row["records"], row["added"], row["changed"]) for row in house.fetches("hs")][:2] == [(2, 0, 1), (2, 2, 0)]


def test_the_housekeeping_service_looks_by_itself(house: House, outside: Outside) -> None:
    outside.answers(LIST)
    house.set_up("cnb", "cnb-rates", [outside.url], settings={"days_back": 0}, every_minutes=60)
    stop = threading.Event()
    # What is trusted comes from the environment, as in the service.
    thread = start(house.engine, house.clock, Settings(external_every=timedelta(milliseconds=20)), stop)
    try:
        until = time.monotonic() + 20
        while house.source("cnb")["last_success"] is None and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join(10)
    assert house.source("cnb")["last_success"] is not None
    assert not thread.is_alive()


def test_switching_times_and_load_profiles_go_to_their_places(house: House, outside: Outside) -> None:
    times = "code;days;times;from\nA1B2;Po-Pá;0:00-5:00;1.1.2026\n"
    outside.answers(Reply(body=times.encode()), Reply(body=times.replace("5:00", "6:00").encode()))
    house.set_up("hdo", "switching-times", [outside.url])
    for left in (None, "The schedule A1B2 has other times"):
        house.ask("hdo")
        house.worker.look()
        error = house.source("hdo")["error"]
        assert error == left or error.startswith(left)
    (schedule,) = (row for row in house.get("/v1/tariff-schedules") if row["code"] == "A1B2")
    assert [(row["day_kind"], row["low"]) for row in schedule["times"]] == [(day, [[0, 300]]) for day in range(1, 6)]
    hours = "Den;Hodina;TDD4\n" + "".join(f"29.03.2026;{hour};0,{hour:02}\n" for hour in range(1, 24))
    outside.answers(Reply(body=hours.encode()))
    house.set_up("tdd", "load-profiles", [outside.url], settings={"commodity": "electricity", "kind": "recomputed"})
    for added in (1, 0):
        house.ask("tdd")
        house.worker.look()
        assert house.fetches("tdd")[0]["added"] == added
    (series,) = house.get("/v1/load-profiles")
    assert (series["kind"], series["source"], series["imported_by"]) == (
        "recomputed",
        f"tdd: {outside.url}",
        "external-information",
    )
    outside.answers(Reply(body=hours.replace("29.03", "28.03").encode()))  # 23 hours on a day that has 24
    house.ask("tdd")
    house.worker.look()
    assert "TDD4" in house.source("tdd")["error"]


def test_exports_of_edc_from_a_folder_are_allocated(house: House, folder: Path) -> None:
    roof, flat, stranger = (make_ean18(f"859182400900{number:05d}") for number in (71, 72, 73))
    place = {"street": "Dlouhá 1", "city": "Brno", "postal_code": "602 00"}
    house.post("/v1/parties", {"code": "LDS", "name": "Provozovatel", "role": "operator", **place}, 201)
    for ean in (roof, flat):
        point = {"ean": ean, "name": ean, "object": "A", "commodity": "electricity", "operator": "LDS", **place}
        house.post("/v1/supply-points", {**point, "voltage_level": "NN"}, 201)
    house.post("/v1/sharing/groups", {"code": "SK-7", "name": "Střecha", "kind": "house"}, 201)
    lines = [f"Datum;Cas od;Cas do;{roof}-{flat};{roof}-{stranger}"]
    for quarter in range(97):
        begin, end = (datetime(2026, 2, 5, tzinfo=PRAGUE) + timedelta(minutes=15 * n) for n in (quarter, quarter + 1))
        lines.append(f"{begin:%d.%m.%Y;%H:%M};{end:%H:%M};0,02;0,01")
    (folder / "edc").mkdir()
    (folder / "edc" / "Export-dat.csv").write_text("\n".join(lines), encoding="utf-8")
    house.set_up("edc", "edc-sharing", [(folder / "edc").as_uri()], settings={"group": "SK-7"})
    house.ask("edc")
    house.worker.look()
    error = house.source("edc")["error"]
    assert f"No points here: {stranger} (1 in all)" in error
    assert f"left out: {roof} 2026-02-06" in error
    days = {"from": "2026-02-01", "to": "2026-03-01"}
    rows = house.client.get("/v1/sharing/groups/SK-7/allocations", params=days).json()
    assert [(row["ean"], row["role"], row["day"], row["source"], row["shared_kwh"]) for row in rows] == [
        (roof, "producer", "2026-02-05", "edc", "2.88"),
        (flat, "consumer", "2026-02-05", "edc", "1.92"),
    ]
    assert rows[0]["origin"].startswith("edc: /")


def test_a_whole_month_of_temperatures_gives_degree_days_and_leaves_entered_ones(
    house: House, outside: Outside
) -> None:
    def table(actual: int, days: int = 28) -> Reply:
        rows = [f"{day}.2.2026;{actual};0\n" for day in range(1, days + 1)]
        return Reply(body=("day;actual;normal\n" + "".join(rows)).encode())

    def held() -> list[tuple[float, float, str]]:
        rows = house.get("/v1/advances/degree-days", zone="Z")
        return [(float(row["normal"]), float(row["actual"]), row["source"][:13]) for row in rows]

    settings = {"zones": {"": "Z"}, "column_normal": "normal", "degree_days": {}}
    house.set_up("chmi", "temperatures", [outside.url], settings=settings)
    outside.answers(table(1, 27), table(1), table(2), table(3))
    for expected in ([], [(560.0, 532.0, "temperatures:")], [(560.0, 504.0, "temperatures:")]):
        house.ask("chmi")
        house.worker.look()
        assert held() == expected
    house.do("UPDATE degree_day SET source = 'zadal člověk'")
    house.ask("chmi")
    house.worker.look()
    assert held() == [(560.0, 504.0, "zadal člověk")]
    assert "Degree days of Z in 2026-02 stay as they were entered" in house.source("chmi")["error"]


def test_a_price_decision_s_workbook_is_compared_and_never_installed(house: House, outside: Outside) -> None:
    with transaction(house.engine) as connection:
        prepare(connection, "test", house.clock.now())
    path = "/v1/external/price-decisions/2026"
    assert house.client.get(path).status_code == 404

    def dearer(low: Any, high: Any) -> None:
        high.cell(row=3, column=5).value = 1.5

    outside.answers(Reply(body=workbook(dearer)), Reply(body=b"<html>Odst\xc3\xa1vka</html>"))
    house.set_up("eru", "eru-workbook", [outside.url], settings={"year": 2026})
    for error in (None, "page, not the data"):
        house.ask("eru")
        house.worker.look()
        said = house.source("eru")["error"]
        assert said is None if error is None else error in said
    found = house.get(path)
    (package,) = found["packages"]
    (difference,) = package["differences"]
    assert (difference["component"], difference["keys"]["operator"], difference["after"]) == (
        "use_of_networks",
        "CEZ",
        "1.5",
    )
    assert (found["version"], found["address"], "D02d" in found["low"]) == (1, outside.url, True)
    assert house.sql("SELECT count(*) FROM package WHERE version LIKE '%workbook%'") == 0
    assert house.client.get(path.replace("2026", "2027")).status_code == 404


def test_what_the_register_says_of_a_party_is_a_proposal(house: House, outside: Outside) -> None:
    facts = {"name": "Areál, s.r.o.", "city": "Brno", "street": "Tovární 1", "postal_code": "60200", "ico": "12345679"}
    house.post("/v1/parties", {"code": "A", "role": "customer", **facts}, 201)
    party = house.sql("SELECT id FROM party WHERE code = 'A'")
    path = f"/v1/external/parties/{party}/proposal"
    assert house.client.get(path).status_code == 404
    seat = {"nazevObce": "BRNO", "nazevUlice": "Nová", "cisloDomovni": 7, "psc": 60200, "kodStatu": "CZ"}
    company = {"ico": "12345679", "obchodniJmeno": "Areál, s.r.o.", "sidlo": seat, "datumZaniku": "2026-01-31"}
    outside.answers(Reply(body=json.dumps(company).encode()), Reply(404, b'{"kod": "NENALEZENO"}'))
    house.set_up("ares", "ares", [outside.url])
    house.ask("ares", {"ico": ["12345679"]})
    assert house.client.get(path).status_code == 404  # queued, not asked from the request
    house.worker.look()
    assert outside.asked == ["/rates/12345679"]
    found = house.get(path)
    assert found["differs"] == {"street": {"present": "Tovární 1", "proposed": "Nová 7"}}
    assert (found["found"], found["dissolved_on"], found["address"]) == (True, "2026-01-31", outside.url + "/12345679")
    assert house.sql("SELECT street FROM party WHERE code = 'A'") == "Tovární 1"
    house.ask("ares", {"ico": ["12345679"]})
    house.worker.look()
    found = house.get(path)
    assert (found["found"], found["differs"]) == (False, {})
    assert house.source("ares")["breaker"] == "closed"

    # The facts of another company than was asked for are not stored, under neither number.
    outside.answers(Reply(body=json.dumps(company | {"ico": "27082440"}).encode()))
    house.ask("ares", {"ico": ["12345679"]})
    house.worker.look()
    assert "asked for 12345679 and answers with 27082440" in house.source("ares")["error"]
    assert house.get(path)["found"] is False
    assert house.sql("SELECT count(*) FROM external_value WHERE key = '27082440'") == 0
