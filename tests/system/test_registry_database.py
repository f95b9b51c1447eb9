"""The database itself refuses what the registry must never hold; a database of before keeps its data."""

from collections.abc import AsyncIterator, Iterator

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.database import make_engine, transaction
from central.platform.migrations import configuration, upgrade
from tests.system.registry_rig import EAN, api, furnish

PARTS = """
INSERT INTO site_object (code, name, kind, parent) VALUES ('S', 's', 'site', NULL), ('B', 'b', 'building', 1),
                                                          ('F', 'f', 'flat', 2);
INSERT INTO party_address (party, kind, street, city, postal_code, valid)
VALUES (3, 'mailing', 'x', 'x', 'x', '[2026-01-01,)');
INSERT INTO party_account (party, purpose, iban, valid) VALUES (3, 'refund', 'x', '[2026-01-01,)');
INSERT INTO number_series (code, purpose, prefix, digits, first_number, last_number, next_number)
VALUES ('E', 'contract', 'S', 4, 1, 9, 1);
INSERT INTO processing_period VALUES ('2026-01-01', true, true);
INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
VALUES (1, '[2026-01-01,2026-02-01)', false, true, false);
UPDATE supply_point SET since = '2026-04-01';
INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code, voltage_level,
                               category, operator, state)
SELECT id, commodity, '[2026-01-01,2026-04-01)', name, object, street, city, postal_code, voltage_level, category,
       operator, state FROM supply_point;
"""

PAST = """
INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code, voltage_level,
                               category, operator, state)
SELECT id, {commodity}, '{valid}', name, object, street, city, postal_code, {level}, category, operator, {state}
  FROM supply_point
"""
ITEM = "INSERT INTO contract_item (contract, supply_point, prices, kind, valid{more}) VALUES (1, 1, 'CEZ', {rest})"


def past(valid: str, commodity: str = "commodity", level: str = "voltage_level", state: str = "state") -> str:
    return PAST.format(valid=valid, commodity=commodity, level=level, state=state)


GAS_CAPACITY = "INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid) VALUES (1, {})"
REFUSED = {
    "party_roles_check": "UPDATE party SET roles = '{}' WHERE id = 1",
    "party_past_valid_check": "INSERT INTO party_past (party, valid, name, roles, street, city, postal_code, country,"
    " vat_payer) VALUES (1, '[2026-01-01,)', 'x', '{customer}', 'x', 'x', 'x', 'CZ', true)",
    "party_address_party_kind_valid_excl": "INSERT INTO party_address (party, kind, street, city, postal_code, valid)"
    " VALUES (3, 'mailing', 'y', 'y', 'y', '[2026-05-01,)')",
    "party_address_kind_check": "UPDATE party_address SET kind = 'seat'",
    "party_account_party_purpose_valid_excl": "INSERT INTO party_account (party, purpose, iban, valid)"
    " VALUES (3, 'refund', 'y', '[2025-01-01,2027-01-01)')",
    "party_account_currency_check": "UPDATE party_account SET currency = 'czk'",
    "party_contact_reachable_check": "INSERT INTO party_contact (party, name, matter, valid)"
    " VALUES (3, 'x', 'x', '[2026-01-01,)')",
    "network_area_parties_check": "UPDATE network_area SET superior = licensee",
    "network_area_valid_check": "UPDATE network_area SET valid = 'empty'",
    "supply_point_area_operator_fkey": "UPDATE supply_point SET operator = 3",
    "number_series_range_check": "UPDATE number_series SET next_number = 11",
    "number_series_purpose_check": "UPDATE number_series SET purpose = 'x'",
    "site_object_no_cycle_check": "UPDATE site_object SET parent = 3 WHERE id = 1",
    "site_object_kind_check": "UPDATE site_object SET kind = 'x'",
    "site_object_parent_fkey": "DELETE FROM site_object WHERE id = 2",
    "supply_point_state_check": "UPDATE supply_point SET state = 'x'",
    "supply_point_planned_mwh_check": "UPDATE supply_point SET planned_mwh = -1",
    "supply_point_past_supply_point_valid_excl": past("[2025-12-01,2026-02-01)"),
    "supply_point_past_before_present": past("[2026-04-01,2026-05-01)"),
    "supply_point_past_valid_check": past("[2020-01-01,)"),
    "supply_point_past_supply_point_commodity_fkey": past("[2020-01-01,2021-01-01)", "'gas'", "NULL"),
    "supply_point_past_level_of_commodity_check": past("[2020-01-01,2021-01-01)", level="NULL"),
    "supply_point_past_state_check": past("[2020-01-01,2021-01-01)", state="'x'"),
    "contract_item_supply_point_valid_excl": ITEM.format(more="", rest="'distribution', '[2027-01-01,)'"),
    "contract_item_contract_kind_fkey": ITEM.format(more="", rest="'supply', '[2027-01-01,)'"),
    "contract_item_characteristic_of_breaker_check": "UPDATE contract_item SET breaker_characteristic = 'B'",
    "contract_item_reserved_output_kw_check": "UPDATE contract_item SET reserved_output_kw = -1",
    "contract_item_gas_category_check": "UPDATE contract_item SET gas_category = 'x'",
    "contract_item_unmetered_w_check": "UPDATE contract_item SET rate = 'C60d', unmetered_w = 0",
    "contract_item_unmetered_once_check": "UPDATE contract_item SET rate = 'C60d', unmetered_w = 9,"
    " unmetered_flat = true",
    "contract_item_rate_of_unmetered_check": "UPDATE contract_item SET rate = NULL, unmetered_w = 9",
    "contract_item_amendment_contract_fkey": "UPDATE contract_item SET amendment = 7",
    "contract_advance_check": "UPDATE contract SET advance_months = 1",
    "contract_statement_months_check": "UPDATE contract SET statement_months = 2",
    "contract_due_days_check": "UPDATE contract SET due_days = -1",
    "reserved_capacity_supply_point_kind_valid_excl": "INSERT INTO reserved_capacity (supply_point, kind, kw, valid)"
    " VALUES (1, 'year', 1, '[2027-01-01,)')",
    "reserved_capacity_kw_check": "UPDATE reserved_capacity SET kw = -1",
    "reserved_capacity_within_input_check": "INSERT INTO reserved_capacity (supply_point, kind, kw, valid)"
    " VALUES (1, 'month', 101, '[2026-06-01,2026-07-01)')",
    "gas_capacity_kind_check": GAS_CAPACITY.format("'year', 1, '[2026-06-01,2026-07-01)'"),
    "gas_capacity_m3_a_day_check": GAS_CAPACITY.format("'month', 0, '[2026-06-01,2026-07-01)'"),
    "gas_capacity_whole_months_check": GAS_CAPACITY.format("'month', 1, '[2026-06-02,2026-07-01)'"),
    "gas_capacity_valid_check": GAS_CAPACITY.format("'sliding', 1, '[2026-06-01,)'"),
    "processing_period_month_check": "INSERT INTO processing_period VALUES ('2026-01-02', false, false)",
    "processing_period_active_ix": "INSERT INTO processing_period VALUES ('2026-02-01', true, false)",
    "payment_calendar_contract_period_excl": "INSERT INTO payment_calendar (contract, period, advance_due, regular_due,"
    " annual_due) VALUES (1, '[2026-01-15,2026-03-01)', false, true, false)",
    "payment_calendar_advance_check": "UPDATE payment_calendar SET advance_due = true",
    "payment_calendar_period_check": "UPDATE payment_calendar SET period = '[2026-01-01,)'",
}
"""By the constraint that must refuse it."""


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with api(database_url) as opened:
        await furnish(opened)
    made = make_engine(database_url)
    with transaction(made) as connection:
        connection.execute(text(PARTS))
    yield made
    made.dispose()


def broken(connection: Connection, statement: str) -> str:
    """The constraint that refuses the statement, deferred ones too, in a transaction that is taken back."""
    with pytest.raises(IntegrityError) as refused, connection.begin_nested():
        connection.execute(text(statement))
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert explain(refused.value).status in (409, 422)
    return str(refused.value.orig.diag.constraint_name)  # type: ignore[union-attr]


async def test_the_database_itself_refuses(engine: Engine) -> None:
    with engine.connect() as connection:
        for constraint, statement in REFUSED.items():
            assert broken(connection, statement) == constraint


async def test_the_input_is_agreed_in_one_contract_at_a_time_and_bounds_the_capacity(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(
            text(
                "INSERT INTO contract (number, kind, customer, payer, valid)"
                " VALUES ('P', 'connection', 3, 3, '[2026-01-01,)')"
            )
        )
        second = (
            "INSERT INTO contract_item (contract, supply_point, prices, kind, valid, reserved_{}_kw)"
            " VALUES (2, 1, 'CEZ', 'connection', '[2026-01-01,)', 500)"
        )
        assert broken(connection, second.format("input")) == "contract_item_reserved_input_valid_excl"
        connection.execute(text(second.format("output")))
        lowered = "UPDATE contract_item SET reserved_input_kw = 299 WHERE id = 1"
        assert broken(connection, lowered) == "reserved_capacity_within_input_check"


BEFORE = """
INSERT INTO party (code, name, role, street, city, postal_code) VALUES ('LDS', 'L', 'operator', 'x', 'x', 'x');
INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level, operator)
VALUES ('859182400941700019', 'Hala', 'A', 'x', 'x', 'x', 'electricity', 'VN', 1);
INSERT INTO contract (number, kind, customer, payer, valid) VALUES ('S-1', 'framework', 1, 1, '[2026-01-01,)');
INSERT INTO contract_item (contract, supply_point, prices, reserved_capacity_year_kw, reserved_capacity_month_kw,
                           reserved_input_kw, valid)
VALUES (1, 1, 'CEZ', 300, 50, 400, '[2026-01-01,2026-06-01)'), (1, 1, 'CEZ', 350, NULL, 400, '[2026-06-01,)');
INSERT INTO audit (at, person, act, subject, details) VALUES (now(), 'Anna', 'x', 'x', '{}');
"""
AGREED = "SELECT reserved_capacity_year_kw, reserved_capacity_month_kw FROM contract_item ORDER BY id"


@pytest.fixture
def before(empty_database_url: str) -> Iterator[str]:
    upgrade(empty_database_url, "0014")
    yield empty_database_url


def test_a_database_of_before_keeps_its_data_and_can_go_back(before: str) -> None:

    engine = make_engine(before)
    with transaction(engine) as connection:
        connection.execute(text(BEFORE))
        agreed = connection.execute(text(AGREED)).all()
    upgrade(before, "0015")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT roles, since FROM party")).one() == (["operator"], None)
        capacities = connection.execute(
            text("SELECT kind, kw, lower(valid)::text, upper(valid)::text FROM reserved_capacity ORDER BY kind, valid")
        ).all()
        assert [(kind, int(kw), start, end) for kind, kw, start, end in capacities] == [
            ("month", 50, "2026-01-01", "2026-06-01"),
            ("year", 300, "2026-01-01", "2026-06-01"),
            ("year", 350, "2026-06-01", None),
        ]
        assert connection.execute(text("SELECT DISTINCT kind FROM contract_item")).scalar_one() == "framework"
        assert connection.execute(text("SELECT ean, state FROM supply_point_valid")).one() == (EAN, "connected")
        assert connection.execute(text("SELECT person FROM audit")).scalar_one() == "Anna"
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        connection.commit()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT role FROM party")).scalar_one() == "operator"
        assert connection.execute(text(AGREED)).all() == agreed
    engine.dispose()
