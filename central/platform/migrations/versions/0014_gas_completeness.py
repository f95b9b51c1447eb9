"""readings: gas (areas, calorific values, conversions), counts of completeness, retention; discarded quarantine."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

GAS = """
CREATE TABLE gas_area (
    id text NOT NULL CONSTRAINT gas_area_pkey PRIMARY KEY,
    name text NOT NULL,
    source text NOT NULL
);
COMMENT ON TABLE gas_area IS
    'Oblast spalného tepla: an area for which one calorific value a day is published; source says where';

CREATE TABLE calorific_value (
    area text NOT NULL CONSTRAINT calorific_value_area_fkey REFERENCES gas_area (id),
    period text NOT NULL CONSTRAINT calorific_value_period_check CHECK (period IN ('day', 'month')),
    first date NOT NULL,
    version integer NOT NULL CONSTRAINT calorific_value_version_check CHECK (version > 0),
    value numeric(9, 6) NOT NULL CONSTRAINT calorific_value_value_check CHECK (value > 0),
    kind text NOT NULL CONSTRAINT calorific_value_kind_check CHECK (kind IN ('entered', 'imported', 'downloaded')),
    source text NOT NULL,
    reason text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CONSTRAINT calorific_value_pkey PRIMARY KEY (area, period, first, version),
    CONSTRAINT calorific_value_first_check CHECK (period = 'day' OR extract(day FROM first) = 1)
);
CREATE TRIGGER calorific_value_append_only BEFORE UPDATE OR DELETE ON calorific_value
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE calorific_value IS
    'Append-only: spalné teplo in kWh/m3 of an area, of a gas day or a month''s mean; a correction is a version';

CREATE TABLE gas_conversion (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT gas_conversion_pkey PRIMARY KEY,
    channel integer NOT NULL CONSTRAINT gas_conversion_channel_fkey REFERENCES channel (id),
    area text NOT NULL CONSTRAINT gas_conversion_area_fkey REFERENCES gas_area (id),
    kind text NOT NULL,
    valid daterange NOT NULL
        CONSTRAINT gas_conversion_valid_check CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    coefficient numeric(12, 8),
    temperature_k numeric(7, 3),
    gauge_kpa numeric(10, 4),
    compressibility numeric(9, 7),
    altitude_m numeric(6, 1),
    barometric_kpa numeric(8, 4),
    source text NOT NULL,
    CONSTRAINT gas_conversion_kind_check CHECK (
        CASE kind
            WHEN 'converter' THEN
                num_nonnulls(coefficient, temperature_k, gauge_kpa, compressibility, altitude_m, barometric_kpa) = 0
            WHEN 'fixed' THEN
                coefficient > 0
                AND num_nonnulls(temperature_k, gauge_kpa, compressibility, altitude_m, barometric_kpa) = 0
            WHEN 'computed' THEN
                coefficient IS NULL AND temperature_k > 0 AND gauge_kpa IS NOT NULL AND compressibility > 0
                AND num_nonnulls(altitude_m, barometric_kpa) = 1
            ELSE false
        END),
    CONSTRAINT gas_conversion_channel_valid_excl EXCLUDE USING gist (channel WITH =, valid WITH &&)
);
COMMENT ON TABLE gas_conversion IS
    'Přepočet objemu of a gas channel by gas days: area, and k fixed, computed, or 1 behind a converter';
"""

COUNTS = """
CREATE TABLE profile_count (
    channel integer NOT NULL,
    month date NOT NULL CONSTRAINT profile_count_month_check CHECK (extract(day FROM month) = 1),
    missing bytea NOT NULL,
    replaced bytea NOT NULL,
    CONSTRAINT profile_count_pkey PRIMARY KEY (channel, month),
    CONSTRAINT profile_count_days_check CHECK (octet_length(missing) = 62 AND octet_length(replaced) = 62)
) WITH (fillfactor = 70);
COMMENT ON TABLE profile_count IS
    'Of each day''s newest version, from day 1 of the month on, as smallint in network byte order:'
    ' values that are missing, and that are not measured; -1: none';

CREATE TABLE profile_count_news (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT profile_count_news_pkey PRIMARY KEY,
    channels integer[] NOT NULL,
    days integer[] NOT NULL,
    versions integer[] NOT NULL,
    missing smallint[] NOT NULL,
    replaced smallint[] NOT NULL
);
COMMENT ON TABLE profile_count_news IS
    'Counts of versions just made, a row for each write, until they are folded into profile_count';
COMMENT ON COLUMN profile_count_news.days IS 'days since 1970-01-01';
"""

# Versions of an existing database; the service folds them.
COUNT_PRESENT_VERSIONS = """
INSERT INTO profile_count_news (channels, days, versions, missing, replaced)
SELECT array_agg(channel), array_agg(day - date '1970-01-01'), array_agg(version), array_agg(missing),
       array_agg(replaced)
FROM (
    SELECT DISTINCT ON (channel, day) channel, day, version, missing,
           (SELECT count(*) FROM unnest(quality) AS q WHERE q IN (2, 3, 4))::smallint AS replaced
    FROM day_profile ORDER BY channel, day, version DESC
) newest
GROUP BY date_trunc('month', day)
"""

RETENTION = """
CREATE TABLE retention_rule (
    target text NOT NULL CONSTRAINT retention_rule_pkey PRIMARY KEY
        CONSTRAINT retention_rule_target_check
        CHECK (target IN ('block', 'register_reading', 'day_profile', 'edge_event')),
    keep_days integer CONSTRAINT retention_rule_keep_days_check CHECK (keep_days >= 62),
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    reason text NOT NULL
);
COMMENT ON TABLE retention_rule IS 'How long what is measured is kept, by table; keep_days NULL or no row: for ever';
"""

DISCARDED = """
ALTER TABLE quarantine ADD COLUMN discarded_at timestamptz;
ALTER TABLE quarantine ADD COLUMN discarded_by text;
ALTER TABLE quarantine ADD COLUMN discard_reason text;
ALTER TABLE quarantine ADD CONSTRAINT quarantine_discarded_check
    CHECK (num_nonnulls(discarded_at, discarded_by, discard_reason) IN (0, 3));
"""


def upgrade() -> None:
    """Create the tables and count what is there."""
    for statements in (GAS, COUNTS, COUNT_PRESENT_VERSIONS, RETENTION, DISCARDED):
        op.execute(statements)


def downgrade() -> None:
    """Remove them."""
    op.execute("ALTER TABLE quarantine DROP COLUMN discarded_at, DROP COLUMN discarded_by, DROP COLUMN discard_reason")
    op.execute("DROP TABLE retention_rule, profile_count_news, profile_count")
    op.execute("DROP TABLE gas_conversion, calorific_value, gas_area")
