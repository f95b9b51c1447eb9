"""checks: breaker and rate against DUF."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE item_tariff_change (
    contract_item bigint CONSTRAINT item_tariff_change_pkey PRIMARY KEY
        CONSTRAINT item_tariff_change_contract_item_fkey REFERENCES contract_item (id) ON DELETE CASCADE,
    tariff_change text NOT NULL
        CONSTRAINT item_tariff_change_tariff_change_check CHECK (tariff_change IN ('agrees', 'differs')),
    tariff_change_since date NOT NULL,
    received_rate text,
    received_breaker_phases integer,
    received_breaker_amps numeric(8, 1),
    refreshed_on date NOT NULL
);
COMMENT ON TABLE item_tariff_change IS
    'Změna jističe nebo distribuční sazby: what billing data received (DUF) say of a contract item (check 7)';
"""


def upgrade() -> None:
    """The attribute that check 7 keeps with contract items."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop it; the next run of the check finds it again."""
    op.execute("DROP TABLE item_tariff_change")
