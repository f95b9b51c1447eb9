"""Cancel + original = 0, and 5 + 6 + preliminary = 6: properties of the very statements that write such lines."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from central.platform.database import transaction
from central.settlement.cancelling import cancel_bases, settle_preliminary
from central.settlement.runs import approve_run
from central.settlement.statements import BILLED_PRELIMINARILY, CANCELS, StatementType
from central.workflow.prepare import prepare
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, NOW, BilledSite, billed_site, settle_march

LINES = st.lists(
    st.tuples(
        st.decimals(-(10**9), 10**9, places=3, allow_nan=False),
        st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
        st.sampled_from([Decimal(0), Decimal(12), Decimal("20.5"), Decimal(21)]),
    ),
    min_size=1,
    max_size=12,
)
MADE = text("""
    -- lines like those of the model run, with other figures
    INSERT INTO billing_basis (
           run, input, supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name,
           quantity, unit, unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why, state,
           fingerprint, original, reason, made_at, made_by)
    SELECT b.run, b.input, b.supply_point, b.contract_item, b.contract, b.customer, b.payer, b.seller, b.service,
           b.rate, b.component, b.name, given.quantity, b.unit, b.unit_price, b.price_unit, given.amount,
           given.vat, b.valid, given.type, b.measurements, b.why, 'invoiced', b.fingerprint,
           CASE WHEN given.type = 12 THEN b.id END,
           'test', b.made_at, b.made_by
      FROM (SELECT * FROM billing_basis WHERE original IS NULL ORDER BY id LIMIT 1) b
     CROSS JOIN unnest(CAST(:types AS integer[]), CAST(:quantities AS numeric[]), CAST(:amounts AS numeric[]),
                       CAST(:vat AS numeric[])) AS given (type, quantity, amount, vat)
    RETURNING id
""")
PAIRED = text("""
    -- pairs that do not add up, line by line
    SELECT count(*) FROM billing_basis o JOIN billing_basis c ON c.original = o.id
     WHERE c.id = ANY (:made)
       AND (o.quantity + c.quantity <> 0 OR o.amount + c.amount <> 0 OR o.unit_price <> c.unit_price
            OR o.vat_percent <> c.vat_percent
            OR (o.contract_item, o.payer, o.seller, o.valid, o.service, o.rate, o.unit)
               IS DISTINCT FROM (c.contract_item, c.payer, c.seller, c.valid, c.service, c.rate, c.unit))
""")
LEFT = text("""
    -- net and VAT by rate that do not come to nothing over lines and their opposites
    SELECT count(*) FROM (SELECT vat_percent FROM billing_basis WHERE id = ANY (:lines) GROUP BY vat_percent
                          HAVING sum(amount) <> 0 OR round(sum(amount) * vat_percent / 100, 2) <> 0) odd
""")


@pytest.fixture(scope="module")
def model(stack: LocalStack, filled_template: str) -> Iterator[BilledSite]:
    """One point's March, settled annually and approved."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
            point = connection.execute(text("SELECT min(supply_point) FROM contract_item")).scalar_one()
            run = settle_march(connection, site.clock, [point]).id
            approve_run(connection, run, CLERK, NOW)
            connection.execute(text("UPDATE settlement_input SET statement_type = 6"))
        yield site
    stack.drop_database(name)


def written(
    connection: Connection, kinds: Sequence[int], lines: Sequence[tuple[Decimal, Decimal, Decimal]]
) -> list[int]:
    quantities, amounts, vat = ([str(number) for number in column] for column in zip(*lines, strict=True))
    types = [int(kinds[n % len(kinds)]) for n in range(len(lines))]
    asked = {"types": types, "quantities": quantities, "amounts": amounts, "vat": vat}
    return list(connection.execute(MADE, asked).scalars())


@pytest.mark.parametrize("kind", sorted(CANCELS))
def test_cancelling_and_its_original_add_up_to_nothing(model: BilledSite, kind: StatementType) -> None:
    with model.engine.connect() as connection:

        @settings(max_examples=8, deadline=None, database=None)
        @given(LINES)
        def holds(lines: list[tuple[Decimal, Decimal, Decimal]]) -> None:
            with connection.begin_nested() as example:
                originals = written(connection, [kind], lines)
                made = cancel_bases(connection, originals, "storno", CLERK, NOW)
                assert len(made) == len(originals)
                assert connection.execute(PAIRED, {"made": made}).scalar_one() == 0
                assert connection.execute(LEFT, {"lines": [*originals, *made]}).scalar_one() == 0
                types = connection.execute(
                    text("SELECT array_agg(DISTINCT statement_type) FROM billing_basis WHERE id = ANY (:made)"),
                    {"made": made},
                ).scalar_one()
                assert types == [CANCELS[kind]]
                example.rollback()

        holds()
        connection.rollback()


def test_negative_settlement_leaves_the_final_one(model: BilledSite) -> None:
    kinds = sorted(BILLED_PRELIMINARILY)
    with model.engine.connect() as connection:
        run = connection.execute(text("SELECT max(id) FROM settlement_run")).scalar_one()

        @settings(max_examples=25, deadline=None, database=None)
        @given(LINES)
        def holds(lines: list[tuple[Decimal, Decimal, Decimal]]) -> None:
            with connection.begin_nested() as example:
                preliminary = written(connection, kinds, lines)
                made = settle_preliminary(connection, run, (), CLERK, NOW)
                assert len(made) == len(preliminary)
                assert connection.execute(PAIRED, {"made": made}).scalar_one() == 0
                assert connection.execute(LEFT, {"lines": [*preliminary, *made]}).scalar_one() == 0
                # once taken back, never again
                assert settle_preliminary(connection, run, (), CLERK, NOW) == []
                example.rollback()

        holds()
        connection.rollback()
