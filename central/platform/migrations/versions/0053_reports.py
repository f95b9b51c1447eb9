"""reports (výkazy): instances by definition, network and period, and their cells with overrides."""

from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

REPORTS = """
CREATE TABLE report (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT report_pkey PRIMARY KEY,
    definition text NOT NULL,
    definition_version integer NOT NULL,
    definition_digest text NOT NULL,
    operator bigint NOT NULL CONSTRAINT report_operator_fkey REFERENCES party (id),
    area bigint CONSTRAINT report_area_fkey REFERENCES network_area (id),
    period daterange NOT NULL CONSTRAINT report_period_check
        CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)),
    version integer NOT NULL,
    replaces bigint CONSTRAINT report_replaces_key UNIQUE CONSTRAINT report_replaces_fkey REFERENCES report (id),
    state text NOT NULL CONSTRAINT report_state_check
        CHECK (state IN ('made', 'filled', 'closed', 'sent', 'replaced', 'discarded')),
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    filled_at timestamptz,
    filled_by text,
    closed_at timestamptz,
    closed_by text,
    sent_at timestamptz,
    sent_by text,
    CONSTRAINT report_version_check CHECK (version > 0 AND (version > 1) = (replaces IS NOT NULL)),
    CONSTRAINT report_closed_check CHECK (state NOT IN ('closed', 'sent') OR closed_at IS NOT NULL),
    CONSTRAINT report_sent_check CHECK ((state <> 'sent') OR sent_at IS NOT NULL)
);
CREATE INDEX report_operator_ix ON report (operator);
CREATE INDEX report_area_ix ON report (area);
CREATE UNIQUE INDEX report_live_ix ON report (definition, operator, area, period) NULLS NOT DISTINCT
    WHERE state NOT IN ('replaced', 'discarded');
COMMENT ON TABLE report IS
    'Výkaz: a report of a network and period by a definition; what was closed is replaced by a new version';
COMMENT ON COLUMN report.definition_digest IS 'SHA-256 of the definition''s file';
COMMENT ON COLUMN report.area IS 'NULL: all of the operator''s points';
COMMENT ON COLUMN report.version IS 'grows with every reopening';

CREATE TABLE report_cell (
    report bigint CONSTRAINT report_cell_report_fkey REFERENCES report (id),
    "row" text,
    "column" text,
    filled numeric CONSTRAINT report_cell_filled_check CHECK (filled NOT IN ('NaN', 'Infinity', '-Infinity')),
    source text NOT NULL,
    details jsonb NOT NULL,
    overridden numeric CONSTRAINT report_cell_overridden_number_check
        CHECK (overridden NOT IN ('NaN', 'Infinity', '-Infinity')),
    overridden_at timestamptz,
    overridden_by text,
    overridden_why text,
    CONSTRAINT report_cell_pkey PRIMARY KEY (report, "row", "column"),
    CONSTRAINT report_cell_overridden_check CHECK (num_nonnulls(overridden_at, overridden_by, overridden_why)
        IN (0, 3) AND (overridden IS NULL OR overridden_at IS NOT NULL))
);
COMMENT ON TABLE report_cell IS 'Buňka výkazu: what was filled with its source, and what a person said instead';
COMMENT ON COLUMN report_cell.filled IS 'NULL is not known, which is not zero';
COMMENT ON COLUMN report_cell.source IS 'Where the filled value is from, or why there is none';
COMMENT ON COLUMN report_cell.overridden IS 'NULL with overridden_at: a person says that it is not known';
"""


def upgrade() -> None:
    op.execute(REPORTS)


def downgrade() -> None:
    op.execute("DROP TABLE report_cell, report")
