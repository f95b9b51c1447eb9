"""checks: bases with a cancelled error are found without reading the verdicts of all others."""

from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the few that there are."""
    op.execute("CREATE INDEX basis_verdict_cancelled_ix ON basis_verdict (basis) WHERE cancelled_at IS NOT NULL")


def downgrade() -> None:
    """All verdicts are read."""
    op.execute("DROP INDEX basis_verdict_cancelled_ix")
