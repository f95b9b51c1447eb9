"""registry: monthly and sliding daily capacity of gas points, beside the yearly one that their items agree."""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE gas_capacity (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT gas_capacity_pkey PRIMARY KEY,
    supply_point bigint NOT NULL CONSTRAINT gas_capacity_supply_point_fkey REFERENCES supply_point (id),
    kind text NOT NULL CONSTRAINT gas_capacity_kind_check CHECK (kind IN ('month', 'sliding')),
    m3_a_day numeric(14, 3) NOT NULL CONSTRAINT gas_capacity_m3_a_day_check CHECK (m3_a_day > 0),
    valid daterange NOT NULL,
    CONSTRAINT gas_capacity_valid_check
        CHECK (NOT isempty(valid) AND lower(valid) IS NOT NULL AND upper(valid) IS NOT NULL),
    CONSTRAINT gas_capacity_whole_months_check CHECK (kind <> 'month'
        OR (extract(day FROM lower(valid)) = 1 AND extract(day FROM upper(valid)) = 1)),
    CONSTRAINT gas_capacity_supply_point_kind_valid_excl
        EXCLUDE USING gist (supply_point WITH =, kind WITH =, valid WITH &&)
);
COMMENT ON TABLE gas_capacity IS
    'Daily capacity of a gas point beside the yearly one of its contract items: monthly and sliding; they add up';
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE gas_capacity")
