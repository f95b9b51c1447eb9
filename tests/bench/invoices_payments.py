"""What 100,000 payments cost: two files (ABO and CAMT.053) read, stored and matched with 100,000 open items.

Part of `make bench ONLY=invoices`; alone: `main(10_000)`. Each of both files brings half; every payment has the symbol
of one item, nine of ten its amount, the others more or less. What is left afterwards is compared.
"""

import resource
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, text

from central.invoicing.account import iban_of
from central.invoicing.payments.booking import book_statements
from central.platform.database import make_engine, transaction
from central.platform.identity import SYSTEM
from central.platform.migrations import upgrade
from deploy.stack import process
from deploy.stack.local import LocalStack, home_folder
from tests.bench.harness import Figure
from tests.bench.parts.bank_statements import Movement, abo_file, camt_file

PAYMENTS: Final = 100_000
OWN: Final = iban_of("19-123457/0800")
NOW: Final = datetime(2026, 3, 20, 9, tzinfo=UTC)
DAY: Final = date(2026, 3, 16)

SEED = """
INSERT INTO party (code, name, street, city, postal_code, roles, iban)
VALUES ('LDS', 'Areál Energie', 'Tovární 1', 'Brno', '602 00', '{operator}', :own);
INSERT INTO party (code, name, street, city, postal_code, roles)
SELECT 'C' || n, 'Odběratel ' || n, 'Dlouhá ' || n, 'Brno', '602 00', '{customer}' FROM generate_series(1, :payers) n;
INSERT INTO contract_account (number, party, name, valid)
SELECT (900000000 + p.id)::text, p.id, p.name, '[2025-01-01,)' FROM party p WHERE p.code LIKE 'C%';
INSERT INTO receivable (kind, number, seller, payer, account, variable_symbol, issued_on, due, amount)
SELECT 'invoice', (2600000000 + n)::text, (SELECT id FROM party WHERE code = 'LDS'), a.party, a.id,
       (2600000000 + n)::text, '2026-03-01', '2026-03-15', 100 + n % 9000 + (n % 100) / 100.0
  FROM generate_series(1, :items) n
  JOIN (SELECT id, party, row_number() OVER (ORDER BY id) - 1 AS k FROM contract_account) a ON a.k = n % :payers;
"""


def measure(stack: LocalStack, payments: int = PAYMENTS) -> dict[str, Figure]:
    """payments_100k_s: from the octets of both files to everything matched, in two transactions."""
    name = "bench_payments"
    stack.drop_database(name)
    url = stack.create_database(name)
    upgrade(url)
    engine = make_engine(url)
    with transaction(engine) as connection:
        for statement in SEED.split(";\n"):
            if statement.strip():
                connection.execute(text(statement), _values(statement, payments))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    movements = [_movement(number) for number in range(1, payments + 1)]
    half = payments // 2
    files = [
        ("bench.gpc", abo_file(OWN, movements[:half])),
        ("bench.xml", camt_file(OWN, movements[half:])),
    ]
    seconds = 0.0
    for file, content in files:
        begun = time.perf_counter()
        with transaction(engine) as connection:
            booked = book_statements(connection, file, content, SYSTEM, NOW)
        took = time.perf_counter() - begun
        seconds += took
        print(f"{file}: {len(content) / 1e6:.1f} MB, {booked.payments} payments in {took:.1f} s", flush=True)
        assert booked.payments == half and booked.parked == 0, booked
    with engine.connect() as connection:
        _require_truth(connection, payments)
    engine.dispose()
    stack.drop_database(name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"payments_100k_s": Figure(round(seconds, 1), "s"), "payments_rss_mb": Figure(round(peak), "MB")}


def _values(statement: str, payments: int) -> dict[str, object]:
    values = {"own": OWN, "payers": max(1, payments // 4), "items": payments}
    return {name: value for name, value in values.items() if f":{name}" in statement}


def _amount(number: int) -> Decimal:
    return Decimal(100 + number % 9000) + Decimal(number % 100) / 100


def _movement(number: int) -> Movement:
    """Every 20th pays 10 too much, every 20th after the 10th 10 too little."""
    more = {0: Decimal(10), 10: Decimal(-10)}.get(number % 20, Decimal(0))
    return Movement(_amount(number) + more, str(2_600_000_000 + number), f"{number:010d}", DAY)


def _require_truth(connection: Connection, payments: int) -> None:
    """No haléř is lost: what came is on items or left, and what is owed is owed less that."""
    row = connection.execute(
        text("""
            SELECT (SELECT sum(amount) FROM payment) AS came, (SELECT sum(amount) FROM receivable) AS owed,
                   (SELECT sum(amount) FROM allocation) AS settled, (SELECT sum(rest) FROM payment) AS free,
                   (SELECT sum(rest) FROM receivable) AS open, (SELECT count(*) FROM payment) AS payments
        """)
    ).one()
    assert row.payments == payments
    assert row.came == sum(_movement(number).amount for number in range(1, payments + 1))
    assert row.came - row.settled == row.free
    assert row.owed - row.settled == row.open


def main(payments: int = PAYMENTS) -> None:
    """Measure this part alone; writes no file."""
    stack = LocalStack(home_folder(), instance=f"bench-{process.this_process().pid}", owner=process.this_process())
    try:
        stack.up()
        for name, figure in measure(stack, payments).items():
            print(f"{name}: {figure.value} {figure.unit}", file=sys.stderr)
    finally:
        stack.destroy()
