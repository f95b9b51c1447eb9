"""readings: day profiles, open days, and the view that unnests the newest version."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE day_profile (
    channel integer NOT NULL,
    day date NOT NULL,
    version integer NOT NULL CONSTRAINT day_profile_version_check CHECK (version > 0),
    "values" integer[] NOT NULL CONSTRAINT day_profile_values_check CHECK (cardinality("values") > 0),
    quality smallint[],
    method smallint[],
    step_ms integer NOT NULL,
    missing smallint NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    batches bigint[] NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT day_profile_pkey PRIMARY KEY (channel, day, version)
);
COMMENT ON TABLE day_profile IS
    'Truth: all values of one channel and metering day, in one version; appended, never changed';
CREATE TRIGGER day_profile_append_only BEFORE UPDATE OR DELETE ON day_profile
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE open_day (
    channel integer NOT NULL,
    day date NOT NULL,
    due timestamptz NOT NULL,
    CONSTRAINT open_day_pkey PRIMARY KEY (channel, day)
);
CREATE INDEX open_day_due_ix ON open_day (due);
COMMENT ON TABLE open_day IS
    'Days with blocks and no version yet; due: when to look again (the day''s end, then the deadline)';
"""

HYPERTABLE = (
    "SELECT create_hypertable('day_profile', by_range('day', INTERVAL '30 days'), create_default_indexes => false)"
)

# An electricity day starts at local midnight, a gas day at 06:00 local; index x step from there is right on
# clock-change days too, because the sum is made in UTC.
VIEW = """
CREATE VIEW day_profile_value AS
SELECT newest.channel,
       newest.day,
       newest.version,
       item.place - 1 AS index,
       ((newest.day + CASE c.commodity WHEN 'gas' THEN time '06:00' ELSE time '00:00' END)
           AT TIME ZONE 'Europe/Prague') + (item.place - 1) * newest.step_ms * interval '1 millisecond' AS at,
       nullif(item.value, -2147483648) AS value,
       coalesce(newest.quality[item.place], 0::smallint) AS quality,
       newest.method[item.place] AS method
FROM (
    SELECT DISTINCT ON (channel, day) channel, day, version, "values", quality, method, step_ms
    FROM day_profile
    ORDER BY channel, day, version DESC
) newest
JOIN channel c ON c.id = newest.channel
CROSS JOIN LATERAL unnest(newest."values") WITH ORDINALITY AS item (value, place)
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(HYPERTABLE)
    op.execute(VIEW)
    op.execute("""
        COMMENT ON VIEW day_profile_value IS
        'One row a value of the newest version of each day; at is the beginning of the interval, a missing value NULL'
    """)


def downgrade() -> None:
    op.execute("DROP VIEW day_profile_value")
    op.execute("DROP TABLE open_day; DROP TABLE day_profile")
