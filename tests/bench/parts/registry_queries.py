"""What operators ask of the overviews, with the answers that a made-up site must give."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from central.platform.overview import MOST_COUNTED, fold
from central.workflow.site_file import Site

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """A request for a page of an overview; `total` and `page` (values of `shown`) are what it must give."""

    path: str
    asked: dict[str, Any]
    total: int
    shown: str
    page: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows of one overview as the site says; asks make queries with their answers."""

    path: str
    key: str
    rows: Sequence[Row]
    stored: bool = False
    """The rows come in the order in which they were stored where nothing else is asked for, not in that of the key."""
    queries: list[Query] = field(default_factory=list)

    def ask(
        self,
        *,
        where: Callable[[Row], bool] | None = None,
        by: str | None = None,
        limit: int = 50,
        deep: bool = False,
        **asked: Any,
    ) -> None:
        """A page with filters (`asked`) that hold for `where`, in the order of the column `by` and then of the rows;
        `deep`: the last pages instead of the first.
        """
        found = [row for row in self.rows if where is None or where(row)]
        name = (by or ("" if self.stored else self.key)).removeprefix("-")
        down = bool(by and by.startswith("-"))
        # Ids follow the order in which the site was stored; ties go the way of the sort.
        if name:
            found.sort(key=lambda row: (row[name] is None, row[name] if row[name] is not None else ""))
        if down:
            found = _backwards(found, name)
        offset = max(0, len(found) - 2 * limit) if deep else 0
        page = tuple(row[self.key] for row in found[offset : offset + limit])
        parameters = {**asked, "limit": limit, "offset": offset, **({"sort": by} if by else {})}
        total = len(found) if where is None else min(len(found), MOST_COUNTED)
        self.queries.append(Query(self.path, parameters, total, self.key, page))


def _backwards(found: list[Row], name: str) -> list[Row]:
    """Descending as the database does: nothing filled in comes first."""
    return [row for row in reversed(found) if row[name] is None] + [
        row for row in reversed(found) if row[name] is not None
    ]


def truths(site: Site) -> list[Truth]:
    """The overviews of registry and network, each with its usual questions."""
    return [
        _parties(site),
        _points(site),
        _contracts(site),
        _items(site),
        _meters(site),
        _places(site),
        _buses(site),
        _concentrators(site),
        _boards(site),
        _elements(site),
    ]


def _struct_rows(things: Iterable[Any], **more: Callable[[Any], Any]) -> list[Row]:
    return [
        {name: getattr(thing, name) for name in thing.__struct_fields__}
        | {name: made(thing) for name, made in more.items()}
        for thing in things
    ]


def _has(words: str, *names: str) -> Callable[[Row], bool]:
    """Whether each word stands somewhere in the row's texts."""
    return lambda row: all(
        fold(word) in fold(" ".join(str(row[name] or "") for name in names)) for word in words.split()
    )


def _contains(phrase: str, name: str) -> Callable[[Row], bool]:
    """Whether the phrase stands in one text of the row."""
    return lambda row: fold(phrase) in fold(str(row[name] or ""))


def _parties(site: Site) -> Truth:
    searched = ("code", "name", "city", "street", "ico", "ean13")
    truth = Truth(
        "/v1/parties", "code", _struct_rows(site.parties, roles=lambda p: sorted({*p.roles, p.role} - {None}))
    )
    last = truth.rows[-1]["code"]
    truth.ask(by="code")
    truth.ask(by="-code")
    truth.ask(by="code", deep=True)
    truth.ask(where=lambda row: "customer" in row["roles"], by="code", role="customer", deep=True)
    truth.ask(where=lambda row: "supplier" in row["roles"], by="code", role="supplier")
    truth.ask(where=lambda row: row["code"] == last, by="code", code=last)
    truth.ask(where=lambda row: row["city"] == "Žďárek", by="code", city="Žďárek")
    truth.ask(where=_has("cerna zdarek", *searched), by="code", q="cerna zdarek")
    truth.ask(where=_contains("lisovna", "name"), by="code", name="~lisovna")
    truth.ask(where=lambda row: row["ico"] is not None, by="ico", ico="!")
    return truth


def _points(site: Site) -> Truth:
    searched = ("ean", "name", "object", "street", "city")
    truth = Truth("/v1/supply-points", "ean", _struct_rows(site.supply_points))
    some = truth.rows[len(truth.rows) // 2]
    truth.ask()
    truth.ask(deep=True)
    truth.ask(by="-ean", deep=True)
    truth.ask(where=lambda row: row["ean"] == some["ean"], ean=some["ean"])
    truth.ask(where=lambda row: row["commodity"] == "gas", commodity="gas")
    truth.ask(
        where=lambda row: (row["voltage_level"], row["metering_type"]) == ("NN", "C4"),
        voltage_level="NN", metering_type="C4", deep=True,
    )  # fmt: skip
    truth.ask(where=lambda row: row["point_type"] == "production", point_type="production")
    truth.ask(where=lambda row: row["category"] == "business", category="business", deep=True)
    truth.ask(where=lambda row: row["supplier"] == "DOD2", supplier_code="DOD2")
    truth.ask(where=_has("lipova 12", *searched), q="lipova 12")
    truth.ask(where=lambda row: row["object"] == some["object"], object=some["object"])
    truth.ask(where=lambda _: True, state="connected", deep=True)
    return truth


def _contracts(site: Site) -> Truth:
    names = {party.code: party.name for party in site.parties}
    rows = _struct_rows(site.contracts, customer_name=lambda contract: names[contract.customer])
    truth = Truth("/v1/contracts", "number", rows)
    some = truth.rows[len(truth.rows) // 2]
    truth.ask()
    truth.ask(deep=True)
    truth.ask(by="-number")
    truth.ask(where=lambda row: row["kind"] == "distribution", kind="distribution", deep=True)
    truth.ask(where=lambda row: row["kind"] == "framework", kind="framework")
    truth.ask(where=lambda row: row["customer"] == some["customer"], customer_code=some["customer"])
    truth.ask(where=_has("2026-00004", "number"), q="2026-00004")
    truth.ask(where=_contains("-000123", "number"), number="~-000123")
    return truth


def _items(site: Site) -> Truth:
    rows: list[Row] = []
    for contract in site.contracts:
        own = {"contract_number": contract.number, "kind": contract.kind}
        rows += [{**row, **own} for row in _struct_rows(contract.items, ean=lambda item: item.supply_point)]
    truth = Truth("/v1/contract-items", "ean", rows, stored=True)
    some = rows[len(rows) // 2]
    truth.ask()
    truth.ask(deep=True)
    truth.ask(by="ean")
    truth.ask(where=lambda row: row["ean"] == some["ean"], ean=some["ean"])
    truth.ask(where=lambda row: row["contract_number"] == "RS-2", contract_number="RS-2")
    truth.ask(where=lambda row: row["rate"] == "D02d", rate="D02d", deep=True)
    truth.ask(where=lambda row: row["prices"] == "GASNET", by="ean", prices="GASNET")
    truth.ask(where=lambda row: (row["breaker_amps"] or 0) >= 63, breaker_amps=">=63")
    truth.ask(where=lambda row: (row["reserved_input_kw"] or 0) > 500, reserved_input_kw=">500")
    return truth


def _meters(site: Site) -> Truth:
    hangs = {mounting.meter: mounting.measuring_point for mounting in site.mountings}
    truth = Truth("/v1/meters", "id", _struct_rows(site.meters, measuring_point=lambda meter: hangs[meter.id]))
    some = truth.rows[len(truth.rows) // 2]
    truth.ask()
    truth.ask(deep=True)
    truth.ask(by="-serial")
    truth.ask(by="serial", deep=True)
    truth.ask(where=lambda row: row["concentrator"] == some["concentrator"], concentrator=some["concentrator"])
    truth.ask(where=lambda row: row["model"] == "SDM630", model="SDM630", deep=True)
    truth.ask(where=lambda row: row["commodity"] == "gas", commodity="gas", deep=True)
    truth.ask(where=lambda row: row["serial"] == some["serial"], serial=some["serial"])
    truth.ask(where=_has("0004", "id", "serial", "place"), q="0004")
    truth.ask(
        where=lambda row: row["measuring_point"] == some["measuring_point"], measuring_point=some["measuring_point"]
    )
    return truth


def _places(site: Site) -> Truth:
    truth = Truth("/v1/measuring-points", "name", _struct_rows(site.measuring_points))
    some = truth.rows[len(truth.rows) // 2]
    truth.ask()
    truth.ask(deep=True)
    truth.ask(by="-name")
    truth.ask(where=lambda row: row["commodity"] == "gas", commodity="gas", deep=True)
    truth.ask(where=lambda row: row["board"] == some["board"], board=some["board"])
    truth.ask(where=_has("0042", "name", "place"), q="0042")
    truth.ask(where=_contains("objekt 77", "place"), place="~objekt 77")
    return truth


def _buses(site: Site) -> Truth:
    truth = Truth("/v1/buses", "name", _struct_rows(site.buses))
    some = truth.rows[len(truth.rows) // 2]
    truth.ask(where=lambda row: row["concentrator"] == some["concentrator"], concentrator=some["concentrator"])
    truth.ask(
        where=lambda row: row["concentrator"] == "K0001", concentrator="K0001", protocol=["dlms-wrapper", "modbus-tcp"]
    )
    return truth


def _concentrators(site: Site) -> Truth:
    truth = Truth("/v1/concentrators", "id", _struct_rows(site.concentrators))
    truth.ask()
    truth.ask(by="-id", deep=True)
    truth.ask(where=_has("trafostanice 4", "id", "name", "place"), q="trafostanice 4")
    return truth


def _boards(site: Site) -> Truth:
    truth = Truth("/v1/boards", "name", _struct_rows(site.boards))
    truth.ask()
    truth.ask(deep=True)
    truth.ask(where=_has("TS0001", "name", "place"), q="TS0001")
    return truth


def _elements(site: Site) -> Truth:
    truth = Truth("/v1/network-elements", "name", _struct_rows(site.network_elements))
    truth.ask()
    truth.ask(where=lambda row: row["kind"] == "transformer", kind="transformer", deep=True)
    truth.ask(where=lambda row: (row["rated_kva"] or 0) >= 630, by="name", rated_kva=">=630")
    return truth


ORDERS: Final = 20_000
CASES: Final = 20_000
WORK: Final = (
    """
    INSERT INTO work_order (number, kind, state, title, measuring_point, meter, due, planned_on, assignee, made_at,
                            made_by)
    SELECT 'PP-2026-' || lpad(n::text, 6, '0'), CASE WHEN n % 4 = 0 THEN 'reading' ELSE 'exchange' END,
           CASE WHEN n % 5 = 0 THEN 'assigned' ELSE 'planned' END, 'Výměna ' || n, p.id, m.meter,
           DATE '2026-01-01' + (n % 300)::integer, DATE '2026-01-01' + (n % 300)::integer,
           CASE n % 3 WHEN 0 THEN 'Jana' ELSE 'Petr' END,
           TIMESTAMPTZ '2026-01-01 08:00+01', 'bench'
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM measuring_point ORDER BY id LIMIT :orders) p
    JOIN mounting m ON m.measuring_point = p.id ORDER BY n
    """,
    """
    INSERT INTO service_case (kind, cause, state, severity, meter, concentrator, measuring_point, since, opened_at,
                              seen_at, evidence)
    SELECT CASE WHEN n % 4 = 0 THEN 'finding' ELSE 'lost_meter' END, 'bench ' || n,
           CASE WHEN n % 10 = 0 THEN 'ordered' ELSE 'open' END, 1 + n % 3, m.id, m.concentrator, NULL,
           TIMESTAMPTZ '2026-01-01 08:00+01' + n * interval '1 minute',
           TIMESTAMPTZ '2026-01-01 09:00+01' + n * interval '1 minute',
           TIMESTAMPTZ '2026-06-01 09:00+01', '{}'
    FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM meter ORDER BY id LIMIT :cases) m ORDER BY n
    """,
)
"""Work and cases that no act of the benchmark makes, straight into their tables."""


def work_truths(orders: int, cases: int) -> list[Truth]:
    """The overviews of maintenance over what WORK makes."""
    work = Truth(
        "/v1/work-orders",
        "number",
        [
            {
                "number": f"PP-2026-{n:06d}",
                "state": "planned" if n % 5 else "assigned",
                "kind": "exchange" if n % 4 else "reading",
                "assignee": "Petr" if n % 3 else "Jana",
                "due": n % 300,
            }
            for n in range(1, orders + 1)
        ],
    )
    work.ask(by="number")
    work.ask(by="-number", deep=True)
    work.ask(by="due", deep=True)
    work.ask(where=lambda row: row["state"] == "assigned", by="number", state="assigned")
    work.ask(where=lambda row: row["assignee"] == "Jana" and row["state"] == "assigned", by="number",
             assignee="Jana", state="assigned")  # fmt: skip
    work.ask(where=lambda row: row["kind"] == "reading", by="number", kind="reading", deep=True)
    found = Truth(
        "/v1/service-cases",
        "cause",
        [
            {
                "cause": f"bench {n}",
                "n": n,
                "opened_at": n,
                "state": "open" if n % 10 else "ordered",
                "kind": "lost_meter" if n % 4 else "finding",
                "severity": 1 + n % 3,
            }
            for n in range(1, cases + 1)
        ],
    )
    found.ask(by="-opened_at")
    found.ask(by="-opened_at", deep=True)
    found.ask(where=lambda row: row["state"] == "ordered", by="-opened_at", state="ordered")
    found.ask(where=lambda row: row["kind"] == "finding", by="opened_at", kind="finding", deep=True)
    found.ask(where=lambda row: row["severity"] == 3, by="-opened_at", severity="3")
    return [work, found]
