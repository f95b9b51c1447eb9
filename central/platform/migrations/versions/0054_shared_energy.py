"""settlement: shared energy allocated by day."""

from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

ALLOCATION = """
CREATE TABLE sharing_allocation (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sharing_allocation_pkey PRIMARY KEY,
    "group" text NOT NULL CONSTRAINT sharing_allocation_group_fkey REFERENCES sharing_group (code),
    supply_point bigint NOT NULL CONSTRAINT sharing_allocation_supply_point_fkey REFERENCES supply_point (id),
    role text NOT NULL CONSTRAINT sharing_allocation_role_check CHECK (role IN ('producer', 'consumer')),
    day date NOT NULL,
    source text NOT NULL CONSTRAINT sharing_allocation_source_check CHECK (source IN ('edc', 'computed')),
    version integer NOT NULL CONSTRAINT sharing_allocation_version_check CHECK (version > 0),
    units integer[] NOT NULL
        CONSTRAINT sharing_allocation_units_check CHECK (cardinality(units) IN (92, 96, 100)),
    total bigint NOT NULL CONSTRAINT sharing_allocation_total_check CHECK (total >= 0),
    origin text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT sharing_allocation_version_key UNIQUE (supply_point, role, day, "group", source, version)
);
CREATE INDEX sharing_allocation_group_ix ON sharing_allocation ("group", day);
COMMENT ON TABLE sharing_allocation IS
    'Append-only: what a member was allocated of shared energy by day; another content is a new version';
COMMENT ON COLUMN sharing_allocation.source IS 'edc: as EDC settled it; computed: ours, by the keys';
COMMENT ON COLUMN sharing_allocation.units IS 'Shared energy of each quarter-hour in 0.01 kWh';
COMMENT ON COLUMN sharing_allocation.total IS 'Their sum in 0.01 kWh';

CREATE TRIGGER sharing_allocation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sharing_allocation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(ALLOCATION)


def downgrade() -> None:
    op.execute("DROP TABLE sharing_allocation")
