"""A site is loaded whole or not at all, once or many times; the database guards what code may forget."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, Table, func, select, text
from sqlalchemy.exc import IntegrityError

from central.network.tables import channel_mapping
from central.platform.database import make_engine, transaction
from central.platform.errors import BadInput, DomainError, NotFound, Refused
from central.platform.identity import SYSTEM
from central.platform.tables import audit
from central.registry.items import find_items
from central.registry.tables import contract_item, party, supply_point
from central.workflow import site_file as s
from central.workflow.load_site import load_site
from deploy.demo.render import central_site
from deploy.demo.site import build_site

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLACE = {"street": "Průmyslová 1", "city": "Vlčí Důl", "postal_code": "517 41"}


def small_site() -> s.Site:
    ean = "859182400941700019"
    return s.Site(
        name="small",
        parties=[
            s.Party(code="LDS", name="Provozovatel, s.r.o.", role="operator", superior="DSO", **PLACE),
            s.Party(code="DSO", name="Nadřazený, a.s.", role="superior_distributor", **PLACE),
            s.Party(code="C1", name="Odběratel", role="customer", ico="28409001", **PLACE),
        ],
        supply_points=[
            s.SupplyPoint(
                ean=ean, name="Hala", object="A", commodity="electricity", operator="LDS", voltage_level="VN", **PLACE
            )
        ],
        contracts=[
            s.Contract(
                number="S-1",
                kind="distribution",
                customer="C1",
                valid_from=date(2026, 1, 1),
                items=[s.ContractItem(supply_point=ean, prices="CEZ", reserved_input_kw=Decimal(400))],
            )
        ],
        concentrators=[s.Concentrator(id="K1", name="K1", place="rozvodna")],
        meters=[s.Meter(id="M1", serial="1", model="m", commodity="electricity", concentrator="K1")],
        evidence_channels=[s.EvidenceChannel(meter="M1", register="1-0:1.29.0", unit="Wh")],
        channels=[s.Channel(point="P1", direction="A+", commodity="electricity", unit="Wh", supply_point=ean)],
        mappings=[
            s.Mapping(
                meter="M1", register="1-0:1.29.0", point="P1", direction="A+", since=datetime(2026, 1, 1, tzinfo=UTC)
            )
        ],
    )


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


def load(engine: Engine, site: s.Site) -> int:
    """Load; how many things were inserted."""
    with transaction(engine) as connection:
        return sum(outcome.inserted for outcome in load_site(connection, site, SYSTEM, NOW).values())


def count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_demo_site_is_loaded_and_once_more_without_effect(engine: Engine) -> None:
    site = central_site(build_site())
    assert load(engine, site) > 400
    assert load(engine, site) == 0
    assert count(engine, audit) == 1
    assert count(engine, contract_item) == 47


def test_a_party_may_name_its_superior_before_it_comes(engine: Engine) -> None:
    load(engine, small_site())
    with engine.connect() as connection:
        rows = connection.execute(select(party.c.code, party.c.superior, party.c.id).order_by(party.c.id)).all()
    by_code = {row.code: row for row in rows}
    assert by_code["LDS"].superior == by_code["DSO"].id


def test_an_item_has_its_contracts_validity_and_payer_is_the_customer(engine: Engine) -> None:
    load(engine, small_site())
    with engine.connect() as connection:
        (item,) = find_items(connection, valid_on=date(2026, 3, 1))
        assert find_items(connection, valid_on=date(2025, 12, 31)) == []
        payer = connection.execute(text("SELECT payer = customer FROM contract")).scalar_one()
    assert (item["valid_from"], item["valid_to"], item["reserved_input_kw"]) == (date(2026, 1, 1), None, Decimal(400))
    assert payer is True


def changed(path: str, value: object) -> s.Site:
    """The small site with one field changed: `section.index.field`."""
    site = deepcopy(small_site())
    *parents, field = path.split(".")
    target: Any = site
    for part in parents:
        target = target[int(part)] if part.isdigit() else getattr(target, part)
    setattr(target, field, value)
    return site


@pytest.mark.parametrize(
    ("path", "value", "error", "named"),
    [
        ("parties.2.ico", "28409002", BadInput, "28409002"),
        ("supply_points.0.ean", "859182400941700018", BadInput, "859182400941700018"),
        ("supply_points.0.operator", "NOBODY", NotFound, "NOBODY"),
        ("contracts.0.customer", "NOBODY", NotFound, "NOBODY"),
        ("contracts.0.valid_to", date(2026, 1, 1), BadInput, "2026-01-01"),
        ("contracts.0.items.0.valid_from", date(2025, 1, 1), BadInput, "outside the contract"),
        ("contracts.0.items.0.reserved_capacity_year_kw", Decimal(401), BadInput, "401"),
        ("concentrators.0.id", "K/1", BadInput, "K/1"),
        ("meters.0.concentrator", "K9", NotFound, "K9"),
        ("evidence_channels.0.meter", "M9", NotFound, "M9"),
        ("channels.0.unit", "m3", BadInput, "m3"),
        ("channels.0.supply_point", "859182400941700026", NotFound, "859182400941700026"),
        ("channels.0.exponent", 1, BadInput, "finer"),
        ("mappings.0.register", "1-0:2.29.0", NotFound, "1-0:2.29.0"),
        ("mappings.0.since", datetime(2026, 1, 1), BadInput, "offset"),  # noqa: DTZ001 - the fault itself
        ("mappings.0.until", datetime(2025, 1, 1, tzinfo=UTC), BadInput, "exclusive"),
        ("mappings.0.multiplier", 0, BadInput, "multiplier"),
    ],
)
def test_one_fault_and_nothing_of_the_site_is_in(
    engine: Engine, path: str, value: object, error: type[DomainError], named: str
) -> None:
    with pytest.raises(error, match=named):
        load(engine, changed(path, value))
    assert count(engine, party) == count(engine, supply_point) == count(engine, audit) == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parties.2.name", "Jiný"),
        ("supply_points.0.voltage_level", "NN"),
        ("contracts.0.items.0.reserved_input_kw", Decimal(500)),
        ("meters.0.serial", "2"),
        ("mappings.0.sign", -1),
    ],
)
def test_what_is_stored_otherwise_is_refused_with_both_values(engine: Engine, path: str, value: object) -> None:
    load(engine, small_site())
    with pytest.raises(Refused) as refused:
        load(engine, changed(path, value))
    assert refused.value.code == "differs"
    assert path.rsplit(".", 1)[1] in refused.value.message
    assert str(value) in refused.value.message


def test_overlapping_validity_is_refused_in_words(engine: Engine) -> None:
    load(engine, small_site())
    again = s.Mapping(
        meter="M1", register="1-0:1.29.0", point="P1", direction="A+", since=datetime(2026, 2, 1, tzinfo=UTC)
    )
    with pytest.raises(Refused, match="overlaps") as refused:
        load(engine, s.Site(name="small", mappings=[again]))
    assert refused.value.code == "overlap"
    other = msgspec.structs.replace(small_site().contracts[0], number="S-2")
    with pytest.raises(Refused, match="overlaps"):
        load(engine, s.Site(name="small", contracts=[other]))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO channel_mapping (evidence_channel, channel, valid) VALUES (1, 1, '[2027-01-01 00:00+00,)')",
        "INSERT INTO contract_item (contract, supply_point, prices, valid) VALUES (1, 1, 'CEZ', '[2027-01-01,)')",
        "INSERT INTO contract_item (contract, supply_point, prices, valid) VALUES (1, 1, 'CEZ', 'empty')",
        "UPDATE contract_item SET reserved_input_kw = -1",
        "UPDATE contract_item SET breaker_amps = 25",
        "UPDATE supply_point SET ean = '85918240094170001'",
        "UPDATE supply_point SET voltage_level = NULL",
        "UPDATE party SET roles = ARRAY['king']",
        "UPDATE channel SET step_ms = 0",
        "UPDATE channel_mapping SET multiplier = 0",
        "DELETE FROM meter",
        "DELETE FROM party WHERE code = 'C1'",
    ],
)
def test_the_database_itself_refuses(engine: Engine, statement: str) -> None:
    load(engine, small_site())
    with pytest.raises(IntegrityError), transaction(engine) as connection:
        connection.execute(text(statement))
    assert count(engine, channel_mapping) == 1
