"""electricity_facts: what an unmetered take is billed by, on the contract item."""

from alembic import op

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None


UNMETERED = """
ALTER TABLE contract_item
    ADD COLUMN unmetered_w numeric(12, 3)
        CONSTRAINT contract_item_unmetered_w_check CHECK (unmetered_w > 0),
    ADD COLUMN unmetered_flat boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT contract_item_unmetered_once_check CHECK (NOT (unmetered_flat AND unmetered_w IS NOT NULL)),
    ADD CONSTRAINT contract_item_rate_of_unmetered_check
        CHECK (rate IS NOT NULL OR NOT (unmetered_flat OR unmetered_w IS NOT NULL));
"""

METERED_AGAIN = """
ALTER TABLE contract_item DROP COLUMN unmetered_flat, DROP COLUMN unmetered_w;
"""


def upgrade() -> None:
    op.execute(UNMETERED)


def downgrade() -> None:
    op.execute(METERED_AGAIN)
