"""bases: runs thrown away, inputs and bases that were replaced, who cancelled a basis and why."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

FORTH = """
ALTER TABLE settlement_run
    DROP CONSTRAINT settlement_run_state_check,
    ADD CONSTRAINT settlement_run_state_check CHECK (state IN ('draft', 'approved', 'discarded'));
ALTER TABLE settlement_input
    ADD COLUMN replaced_by bigint CONSTRAINT settlement_input_replaced_by_fkey REFERENCES settlement_run (id),
    ADD CONSTRAINT settlement_input_replaced_check CHECK (replaced_by IS NULL OR NOT approved);
COMMENT ON COLUMN settlement_input.replaced_by IS 'The run of the update that took the place of this input';
ALTER TABLE billing_basis
    ADD COLUMN earlier_runs bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN cancelled_at timestamptz,
    ADD COLUMN cancelled_by text,
    ADD COLUMN cancelled_why text,
    ADD COLUMN replaced_by bigint CONSTRAINT billing_basis_replaced_by_fkey REFERENCES settlement_run (id);
UPDATE billing_basis SET cancelled_at = made_at, cancelled_by = made_by, cancelled_why = ''
 WHERE state = 'cancelled';
ALTER TABLE billing_basis
    ADD CONSTRAINT billing_basis_cancelled_check
        CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)
               AND (cancelled_at IS NULL) = (cancelled_by IS NULL)
               AND (cancelled_at IS NULL) = (cancelled_why IS NULL)),
    ADD CONSTRAINT billing_basis_by_hand_check CHECK (run IS NOT NULL OR original IS NOT NULL OR reason IS NOT NULL);
COMMENT ON COLUMN billing_basis.earlier_runs IS
    'Runs that held the basis before updates that found it unchanged';
COMMENT ON COLUMN billing_basis.replaced_by IS 'The run of the update that cancelled this basis';
CREATE INDEX billing_basis_earlier_runs_ix ON billing_basis USING gin (earlier_runs) WHERE earlier_runs <> '{}';
"""

BACK = """
DROP INDEX billing_basis_earlier_runs_ix;
ALTER TABLE billing_basis
    DROP CONSTRAINT billing_basis_cancelled_check, DROP CONSTRAINT billing_basis_by_hand_check,
    DROP COLUMN earlier_runs, DROP COLUMN cancelled_at, DROP COLUMN cancelled_by, DROP COLUMN cancelled_why,
    DROP COLUMN replaced_by;
ALTER TABLE settlement_input DROP CONSTRAINT settlement_input_replaced_check, DROP COLUMN replaced_by;
UPDATE settlement_run SET state = 'draft' WHERE state = 'discarded';
ALTER TABLE settlement_run
    DROP CONSTRAINT settlement_run_state_check,
    ADD CONSTRAINT settlement_run_state_check CHECK (state IN ('draft', 'approved'));
"""


def upgrade() -> None:
    op.execute(FORTH)


def downgrade() -> None:
    op.execute(BACK)
