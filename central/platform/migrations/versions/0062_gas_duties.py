"""market: meter data of gas are handed over by hand while no official schemas are there."""

from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Who handed over what a duty is about."""
    op.execute("ALTER TABLE market_duty ADD COLUMN handed_over_by text")
    op.execute(
        "COMMENT ON COLUMN market_duty.handed_over_by IS "
        "'Who handed the data over by hand; NULL: an accepted message told them'"
    )


def downgrade() -> None:
    """Leave the column out; what was handed over stays done."""
    op.execute("ALTER TABLE market_duty DROP COLUMN handed_over_by")
