"""checks: errors of payment calendar rows without a basis can be cancelled."""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Who cancelled the error, and when."""
    op.execute("""
        ALTER TABLE row_finding
          ADD COLUMN cancelled_at timestamptz,
          ADD COLUMN cancelled_by text,
          ADD CONSTRAINT row_finding_cancelled_check CHECK ((result = 4) = (cancelled_at IS NOT NULL)),
          ADD CONSTRAINT row_finding_cancelled_by_check CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
    """)


def downgrade() -> None:
    """Cancelled errors are live again."""
    op.execute("UPDATE row_finding SET result = 5, cancelled_at = NULL, cancelled_by = NULL WHERE result = 4")
    op.execute("ALTER TABLE row_finding DROP COLUMN cancelled_at, DROP COLUMN cancelled_by")
