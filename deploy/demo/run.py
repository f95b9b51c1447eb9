"""The demo: a month of the model site from the meters' terminals to invoices and messages to OTE, in about two minutes.

Real protocols on real lines, a real broker, a real TimescaleDB; one concentrator and the broker are killed on the way.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from sqlalchemy import Engine, text

from central.platform.database import make_engine
from deploy.demo import expected, report
from deploy.demo.compare import Comparison, compare, read_committed, read_stored
from deploy.demo.market import converse
from deploy.demo.plant import MARKET, Plant
from deploy.demo.render import evidence_of
from deploy.demo.site import CONC_SUBSTATION, FIRST, MONTH, NEXT, YEAR, Metering, build_site
from deploy.stack import process
from deploy.stack.local import LocalStack
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

LIVE_QUARTERS: Final = 8
KILLED_IN_QUARTER: Final = 4
"""The live quarter-hour in which a concentrator is killed."""
QUARTER: Final = timedelta(minutes=15)
DATABASE: Final = "rozvodna_demo"
MONTH_TEXT: Final = f"{YEAR}-{MONTH:02d}"
API_TIMEOUT_S: Final = 120.0

_STORED_DAYS: Final = text("SELECT count(*) FROM day_profile")


class Demo:
    """One run. `result` grows into what `build/demo.json` holds."""

    def __init__(self, home: Path, console: Console, lock: int) -> None:
        self.console = console
        self.lock = lock
        self.stack = LocalStack(home, say=lambda line: console.print(f"  [dim]{line}[/dim]"))
        self.folder = home / "demo"
        self.found_running = False
        self.seconds: dict[str, float] = {}
        self.result: dict[str, Any] = {}
        self.plant: Plant
        self.engine: Engine
        self.api: httpx.Client

    @contextmanager
    def phase(self, name: str, says: str) -> Iterator[Callable[[str], None]]:
        """One step: shown while it works, timed. Yields what shows how far it is, where the terminal can."""
        begun = time.monotonic()
        with self.console.status(f"{says} …") as shown:
            yield lambda progress: shown.update(f"{says} … {progress}")
        self.seconds[name] = round(time.monotonic() - begun, 1)
        self.console.print(f"[green]✓[/green] {says} [dim]{self.seconds[name]:.1f} s[/dim]")

    def run(self) -> dict[str, Any]:
        """All phases; the figures of the run."""
        begun = time.monotonic()
        with self.phase("stack", "TimescaleDB and mosquitto"):
            self._start_stack()
            self.stack.drop_database(DATABASE)
            url = self.stack.create_database(DATABASE)
        site = build_site()
        self.plant = Plant(site, fresh_folder(self.folder), self.stack, url)
        self.engine = make_engine(url)
        with self.phase("site", "Registry, network and concentrators of Průmyslový park Vlčí Důl"):
            start = MeteringDay(Commodity.ELECTRICITY, FIRST).start
            self.plant.set_clock(start)
            self.plant.load()
            later = {*self.plant.concentrators, *MARKET}
            self.plant.start(*(name for name in self.plant.children if name not in later))
            self.api = self._connect()
        with self.phase("states", "States at 1 March 00:00"):
            self.plant.start(*self.plant.concentrators)
            self.plant.wait_for_round()
        with self.phase("live", f"{LIVE_QUARTERS} live quarter-hours; a concentrator is killed in one"):
            self._live(start)
        killed = "" if self.stack.status().broker == "foreign" else "; the broker is killed"
        with self.phase("backfill", f"States at 1 April, a month of back-fill{killed}") as show:
            self._backfill(show)
        with self.phase("profiles", "Day profiles"):
            self._wait_for_profiles()
        with self.phase("settlement", "Settlement, billing bases, checks"):
            run = self._settle()
        with self.phase("invoices", "Invoices: PDF, ISDOC, QR payment"):
            self._invoice(run)
        with self.phase("ote", "OTE: interval data by SOAP, a question by mail"):
            self._report_to_ote()
        with self.phase("compare", "What the meters hold against what is stored"):
            comparison = self._compare()
        return self._finish(comparison, time.monotonic() - begun)

    def close(self) -> None:
        """Stop what it started: the plant's processes, and the stack unless it ran before."""
        if hasattr(self, "plant"):
            self.plant.stop()
        if hasattr(self, "engine"):
            self.engine.dispose()
        if self.found_running:
            self.console.print("The stack ran before and still does: `rozvodna stack down` stops it.", markup=False)
        else:
            self.stack.down()

    def note(self, text: str) -> Path:
        """Keep a text beside the logs of the processes."""
        log = self.folder / "logs" / "demo.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        return log

    def first_invoice(self) -> str:
        """The number of the first invoice of an electricity point (gas is priced by an example only)."""
        gas = {point.id for point in self.plant.site.of(Metering.GAS)}
        listed = self.get("/v1/invoices")
        return str(next(found["number"] for found in listed if not gas.intersection(found["supply_points"])))

    # Phases

    def _start_stack(self) -> None:
        status = self.stack.status()
        self.found_running = "running" in (status.database, status.broker)
        if not self.found_running and (status.database, status.broker) != ("foreign", "foreign"):
            self.stack.keep(process.this_process(), "down", (self.lock,))
        self.stack.up()
        self.stack.check()

    def _connect(self) -> httpx.Client:
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.plant.api_port}",
            headers={"Authorization": f"Bearer {self.plant.token}"},
            timeout=API_TIMEOUT_S,
            trust_env=False,  # a proxy has no way to this machine's loopback
        )

        def answers() -> bool:
            try:
                return client.get("/v1/health").status_code == 200
            except httpx.TransportError:
                return False

        self.plant.wait_for("the API", answers, 90)
        return client

    def _live(self, start: datetime) -> None:
        for n in range(1, LIVE_QUARTERS + 1):
            instant = start + n * QUARTER
            self.plant.set_clock(instant)
            if n == KILLED_IN_QUARTER:
                self.plant.wait_for_first_sample(CONC_SUBSTATION)
                self.plant.restart(CONC_SUBSTATION)
            self.plant.wait_for_round()

    def _backfill(self, show: Callable[[str], None]) -> None:
        end = MeteringDay(Commodity.ELECTRICITY, NEXT).start
        self.plant.set_clock(end)
        self.plant.wait_for_round()
        gas_end = MeteringDay(Commodity.GAS, NEXT).start
        self.plant.set_clock(gas_end)
        self.plant.wait_for_round()
        self.plant.start(*MARKET)
        self.plant.wait_for(
            "a third of the month in evidence", lambda: self._stored_days(show) >= self._expected_days() // 3, 120
        )
        self.plant.kill_broker(0.5)
        self.plant.wait_until_delivered(timeout=150, meanwhile=lambda: self._stored_days(show))

    def _wait_for_profiles(self) -> None:
        self.plant.wait_until_consolidated(self.engine, 60)

        def complete() -> bool:
            found = self.get(f"/v1/completeness?from={FIRST}&to={NEXT}")
            return bool(found["days"]) and found["missing"] == 0

        self.plant.wait_for("complete day profiles", complete, 60)

    def _settle(self) -> int:
        run = self.post("/v1/settlement/runs", {"month": MONTH_TEXT})
        approved = self.post(f"/v1/settlement/runs/{run['id']}/approve", {})
        self.result["billing_bases"] = approved["billing_bases"]
        self.result["omitted"] = run["omitted"]
        checks = self.post("/v1/checks/runs", {"run": run["id"]})
        self.result["checks"] = {name: checks["results"].get(name, 0) for name in ("ok", "info", "warning", "error")}
        return int(run["id"])

    def _invoice(self, run: int) -> None:
        issued = self.post("/v1/invoices", {"run": run})
        numbers = issued["invoices"]
        self.result["invoices"] = len(numbers)
        self.result["isdoc_valid"] = sum(report.isdoc_is_valid(self._bytes(f"/v1/invoices/{n}/isdoc")) for n in numbers)
        folder = self.folder / "invoices"
        folder.mkdir(exist_ok=True)
        for number in numbers:
            (folder / f"{number}.pdf").write_bytes(self._bytes(f"/v1/invoices/{number}/pdf"))

    def _report_to_ote(self) -> None:
        self.result["ote"] = converse(self, self.plant, MONTH_TEXT)

    def _compare(self) -> Comparison:
        outboxes = [self.plant.outbox(concentrator) for concentrator in self.plant.concentrators]
        return compare(expected.values_of(self.plant, FIRST, NEXT), read_stored(self.engine), read_committed(outboxes))

    def _finish(self, comparison: Comparison, total: float) -> dict[str, Any]:
        result = {
            "meters": len(self.plant.site.points),
            "channels": self.count("/v1/channels?limit=1"),
            "values_expected": comparison.expected,
            "values_stored": comparison.stored,
            "lost": comparison.lost,
            "duplicated": comparison.duplicated,
            "mismatched": comparison.mismatched + comparison.unexpected,
            **self.result,
            "seconds": {"total": round(total, 1), **self.seconds},
        }
        result["kills"] = self.plant.kills()
        result["broken"] = report.broken(result, comparison, self.plant)
        return result

    # Calls

    def _stored_days(self, show: Callable[[str], None]) -> int:
        with self.engine.connect() as connection:
            stored = int(connection.execute(_STORED_DAYS).scalar_one())
        show(f"{stored} of {self._expected_days()} days")
        return stored

    def _expected_days(self) -> int:
        channels = sum(kind == "interval" for point in self.plant.site.points for *_, kind in evidence_of(point))
        return channels * (NEXT - FIRST).days

    def get(self, path: str) -> Any:
        """The JSON that our API answers."""
        return _answer(self.api.get(path)).json()

    def count(self, path: str) -> int:
        """How many rows an overview of our API has."""
        return int(_answer(self.api.get(path)).headers["X-Total-Count"])

    def _bytes(self, path: str) -> bytes:
        return _answer(self.api.get(path)).content

    def post(self, path: str, body: Any) -> Any:
        """The JSON that our API answers."""
        return _answer(self.api.post(path, json=body)).json()


def _answer(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise RuntimeError(
            f"{response.request.method} {response.request.url.path}: {response.status_code} {response.text}"
        )
    return response


def fresh_folder(folder: Path) -> Path:
    """An empty folder in the place of an earlier run's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
