"""market: received invoices of every origin, billing data that concern each other."""

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

INVOICE = """
ALTER TABLE received_invoice
    ALTER COLUMN inbox DROP NOT NULL,
    ALTER COLUMN recipient DROP NOT NULL,
    ALTER COLUMN point_code DROP NOT NULL,
    ALTER COLUMN due DROP NOT NULL,
    ALTER COLUMN variable_symbol DROP NOT NULL,
    ALTER COLUMN vat DROP NOT NULL,
    ALTER COLUMN gross DROP NOT NULL,
    ALTER COLUMN to_pay DROP NOT NULL,
    ADD COLUMN source text NOT NULL DEFAULT 'message'
        CONSTRAINT received_invoice_source_check CHECK (source IN ('message', 'isdoc', 'hand')),
    ADD COLUMN commodity text NOT NULL DEFAULT 'electricity'
        CONSTRAINT received_invoice_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    ADD COLUMN original bytea,
    ADD COLUMN person text,
    ADD CONSTRAINT received_invoice_origin_check CHECK ((source = 'message') = (inbox IS NOT NULL));
ALTER TABLE received_invoice ALTER COLUMN source DROP DEFAULT, ALTER COLUMN commodity DROP DEFAULT;
CREATE INDEX received_invoice_point_code_ix ON received_invoice (point_code);
COMMENT ON TABLE received_invoice IS
    'Přijatá faktura za distribuci: from a market message (127, GP6), an ISDOC or by hand; one per issuer and number';
COMMENT ON COLUMN received_invoice.issuer IS 'EAN of the party, or its company number (IČO) where it has none';
COMMENT ON COLUMN received_invoice.point_code IS 'EAN or EIC of the point as it came; NULL: the items name theirs';
COMMENT ON COLUMN received_invoice.original IS 'The ISDOC as it came';
COMMENT ON COLUMN received_invoice.person IS 'Who entered or imported it';
ALTER TABLE received_invoice_item
    ALTER COLUMN code DROP NOT NULL,
    ALTER COLUMN vat_rate DROP NOT NULL,
    ADD COLUMN rate integer,
    ADD COLUMN effect numeric,
    ADD COLUMN point_code text,
    ADD COLUMN supply_point bigint
        CONSTRAINT received_invoice_item_supply_point_fkey REFERENCES supply_point (id);
CREATE INDEX received_invoice_item_supply_point_ix ON received_invoice_item (supply_point);
UPDATE received_invoice_item item SET point_code = head.point_code, supply_point = head.supply_point
  FROM received_invoice head WHERE head.id = item.invoice;
UPDATE received_invoice_item item SET rate = known.rate
  FROM (VALUES ('DIST_CAP_MONTH', 5), ('DIST_CAP_YEAR', 6), ('DIST_USE', 7), ('POZE', 8), ('OTE_FEE', 9),
               ('REACT_DELIV', 10), ('DIST_BREAKER', 12), ('DIST_INPUT', 12), ('DIST_VT', 13), ('DIST_NT', 14),
               ('SYS_SERV', 15), ('REACT_COS', 16), ('DIST_CAP_EXCEED', 17), ('DIST_INPUT_EXCEED', 27))
       AS known (code, rate)
 WHERE known.code = item.code;
COMMENT ON COLUMN received_invoice_item.code IS
    'Item code of the message; of gas the field whose price the line has, such as DistributionSum.UnitPrice';
COMMENT ON COLUMN received_invoice_item.rate IS 'Sazba: number of the service, where it is known';
COMMENT ON COLUMN received_invoice_item.effect IS
    'Part of the price that counts: of a year, of months; amount = quantity x unit price x effect';
"""

TARIFF = """
ALTER TABLE received_tariff ADD COLUMN concerns text;
CREATE INDEX received_tariff_point_code_ix ON received_tariff (point_code);
COMMENT ON COLUMN received_tariff.concerns IS
    'Number of the document that this one cancels or corrects: that one no longer counts';
"""


def upgrade() -> None:
    """Invoices come by ISDOC and by hand, too, and of gas; billing data say what they cancel."""
    for block in (INVOICE, TARIFF):
        op.execute(block)


def downgrade() -> None:
    """What did not come as an electronic invoice of electricity cannot stay."""
    op.execute("""
        DELETE FROM received_tariff WHERE rate IS NULL AND breaker_amps IS NULL AND concerns IS NOT NULL;
        ALTER TABLE received_tariff DROP COLUMN concerns;
        DROP INDEX received_tariff_point_code_ix;
        DELETE FROM received_invoice_item
         WHERE code IS NULL OR vat_rate IS NULL
            OR invoice IN (SELECT id FROM received_invoice WHERE source <> 'message' OR commodity <> 'electricity');
        DELETE FROM received_invoice WHERE source <> 'message' OR commodity <> 'electricity';
        ALTER TABLE received_invoice_item
            DROP COLUMN rate, DROP COLUMN effect, DROP COLUMN point_code, DROP COLUMN supply_point,
            ALTER COLUMN code SET NOT NULL,
            ALTER COLUMN vat_rate SET NOT NULL;
        COMMENT ON COLUMN received_invoice_item.code IS NULL;
        DROP INDEX received_invoice_point_code_ix;
        ALTER TABLE received_invoice
            DROP COLUMN source, DROP COLUMN commodity, DROP COLUMN original, DROP COLUMN person,
            ALTER COLUMN inbox SET NOT NULL,
            ALTER COLUMN recipient SET NOT NULL,
            ALTER COLUMN point_code SET NOT NULL,
            ALTER COLUMN due SET NOT NULL,
            ALTER COLUMN variable_symbol SET NOT NULL,
            ALTER COLUMN vat SET NOT NULL,
            ALTER COLUMN gross SET NOT NULL,
            ALTER COLUMN to_pay SET NOT NULL;
        COMMENT ON COLUMN received_invoice.issuer IS NULL;
    """)
