"""settlement: stock items with the OTE invoice item type; currency of received invoices."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

STOCK_ITEMS = """
CREATE TABLE stock_item (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT stock_item_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT stock_item_code_key UNIQUE,
    name_cs text NOT NULL,
    name_en text NOT NULL,
    rate integer NOT NULL CONSTRAINT stock_item_rate_check CHECK (rate BETWEEN 1 AND 9999),
    component text,
    owner bigint CONSTRAINT stock_item_owner_fkey REFERENCES party (id),
    ote_item_type text,
    mark text NOT NULL
        CONSTRAINT stock_item_mark_check CHECK (mark IN ('documented', 'inferred', 'assumed', 'own')),
    source text NOT NULL
);
CREATE UNIQUE INDEX stock_item_rate_key ON stock_item (rate, coalesce(component, ''), coalesce(owner, 0));
CREATE INDEX stock_item_owner_ix ON stock_item (owner);
COMMENT ON TABLE stock_item IS
    'Kmenová karta zboží: the accounting item of a billed line, by rate, component and who invoices';
COMMENT ON COLUMN stock_item.component IS 'NULL: of every component with the rate that has no item of its own';
COMMENT ON COLUMN stock_item.owner IS 'Who invoices; NULL: everybody without an item of their own';
COMMENT ON COLUMN stock_item.ote_item_type IS
    'Typ položky faktury OTE: item code of message 127 as ours (DIST_USE), of gas the field of CDSGASPOF';
"""

CURRENCY = """
ALTER TABLE received_invoice ADD COLUMN currency text NOT NULL DEFAULT 'CZK'
    CONSTRAINT received_invoice_currency_check CHECK (currency ~ '^[A-Z]{3}$');
ALTER TABLE received_invoice ALTER COLUMN currency DROP DEFAULT;
COMMENT ON COLUMN received_invoice.currency IS 'Of all its amounts and prices';
"""

DAYS = """
-- what is of a point within days is found without what was before
DROP INDEX billing_basis_supply_point_ix;
CREATE INDEX billing_basis_supply_point_ix ON billing_basis (supply_point, upper(valid));
DROP INDEX received_invoice_item_supply_point_ix;
CREATE INDEX received_invoice_item_supply_point_ix ON received_invoice_item (supply_point, upper(period));
CREATE INDEX received_invoice_corrects_ix ON received_invoice (issuer, corrects) WHERE corrects IS NOT NULL;
"""


def upgrade() -> None:
    """Stock items begin empty: those of the product are installed with the law. Invoices there are in crowns."""
    op.execute(STOCK_ITEMS)
    op.execute(CURRENCY)
    op.execute(DAYS)


def downgrade() -> None:
    """An invoice in another currency has no place any more."""
    op.execute("""
        DROP INDEX received_invoice_corrects_ix;
        DROP INDEX received_invoice_item_supply_point_ix;
        CREATE INDEX received_invoice_item_supply_point_ix ON received_invoice_item (supply_point);
        DROP INDEX billing_basis_supply_point_ix;
        CREATE INDEX billing_basis_supply_point_ix ON billing_basis (supply_point);
        DELETE FROM received_invoice_item
         WHERE invoice IN (SELECT id FROM received_invoice WHERE currency <> 'CZK');
        DELETE FROM received_invoice WHERE currency <> 'CZK';
        ALTER TABLE received_invoice DROP COLUMN currency;
        DROP TABLE stock_item;
    """)
