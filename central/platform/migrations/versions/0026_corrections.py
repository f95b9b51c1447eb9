"""corrections: what is invoiced and would be billed otherwise today."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

CORRECTION = """
CREATE TABLE correction (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT correction_pkey PRIMARY KEY,
    supply_point bigint NOT NULL CONSTRAINT correction_supply_point_fkey REFERENCES supply_point (id),
    period daterange NOT NULL CONSTRAINT correction_period_check CHECK (NOT isempty(period)),
    statement_type smallint NOT NULL
        CONSTRAINT correction_statement_type_check CHECK (statement_type IN (0, 2, 6)),
    state text NOT NULL
        CONSTRAINT correction_state_check CHECK (state IN ('open', 'ordered', 'dismissed', 'gone')),
    billed numeric(14, 2) NOT NULL,
    correct numeric(14, 2) NOT NULL,
    causes jsonb NOT NULL,
    lines jsonb NOT NULL,
    digest text NOT NULL,
    found_at timestamptz NOT NULL,
    looked_at timestamptz NOT NULL,
    run bigint CONSTRAINT correction_run_fkey REFERENCES settlement_run (id),
    decided_at timestamptz,
    decided_by text,
    why text,
    CONSTRAINT correction_decided_check
        CHECK ((state IN ('ordered', 'dismissed')) = (decided_by IS NOT NULL))
);
CREATE INDEX correction_supply_point_ix ON correction (supply_point);
CREATE INDEX correction_run_ix ON correction (run);
CREATE UNIQUE INDEX correction_open_ix ON correction (supply_point, period, statement_type) WHERE state = 'open';
CREATE INDEX correction_state_ix ON correction (state, id);
COMMENT ON TABLE correction IS
    'K opravě: what is billed of a point and period and would be billed otherwise today, with the difference';
COMMENT ON COLUMN correction.statement_type IS 'Of the originals: 0 regular, 2 preliminary, 6 final';
COMMENT ON COLUMN correction.billed IS 'Net amount of the lines that differ, as billed';
COMMENT ON COLUMN correction.correct IS 'Net amount of these lines as they would be billed now';
"""


def upgrade() -> None:
    op.execute(CORRECTION)


def downgrade() -> None:
    op.execute("DROP TABLE correction")
