"""sharing: groups at EDC, allocation keys with validity."""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

SHARING = """
CREATE TABLE sharing_group (
    code text CONSTRAINT sharing_group_pkey PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT sharing_group_kind_check CHECK (kind IN ('grid', 'house')),
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
COMMENT ON TABLE sharing_group IS 'Skupina sdílení: a group registered at EDC, over the grid or within one house';

CREATE TABLE sharing_key (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sharing_key_pkey PRIMARY KEY,
    "group" text NOT NULL CONSTRAINT sharing_key_group_fkey REFERENCES sharing_group (code),
    producer bigint NOT NULL CONSTRAINT sharing_key_producer_fkey REFERENCES supply_point (id),
    consumer bigint NOT NULL CONSTRAINT sharing_key_consumer_fkey REFERENCES supply_point (id),
    hundredths integer NOT NULL CONSTRAINT sharing_key_hundredths_check CHECK (hundredths BETWEEN 0 AND 10000),
    valid daterange NOT NULL CONSTRAINT sharing_key_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    CONSTRAINT sharing_key_other_check CHECK (producer <> consumer),
    CONSTRAINT sharing_key_valid_excl
        EXCLUDE USING gist ("group" WITH =, producer WITH =, consumer WITH =, valid WITH &&)
);
CREATE INDEX sharing_key_producer_ix ON sharing_key (producer);
CREATE INDEX sharing_key_consumer_ix ON sharing_key (consumer);
COMMENT ON TABLE sharing_key IS
    'Alokační klíč: the part of a producer''s energy that a consumer is offered, with validity by days';
COMMENT ON COLUMN sharing_key.hundredths IS 'Alokační klíč in hundredths of a percent';
"""


def upgrade() -> None:
    op.execute(SHARING)


def downgrade() -> None:
    op.execute("DROP TABLE sharing_key, sharing_group")
