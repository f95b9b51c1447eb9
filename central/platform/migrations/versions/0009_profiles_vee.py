"""readings: what a version's base, sum and lateness are; closed periods; validation: work, findings, parameters."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PROFILES = """
ALTER TABLE day_profile
    ADD COLUMN base_digest bytea,
    ADD COLUMN late boolean NOT NULL DEFAULT false,
    ADD COLUMN total bigint,
    ADD COLUMN peak integer;
COMMENT ON COLUMN day_profile.base_digest IS 'Digest of the content before estimation; NULL: the same as digest';
COMMENT ON COLUMN day_profile.late IS 'Made after the day was closed by an approved settlement';
COMMENT ON COLUMN day_profile.total IS
    'Sum of the values that are there; NULL in versions made before this column';
COMMENT ON COLUMN day_profile.peak IS
    'Highest value, -2147483648 where none is there; NULL in versions made before this column';

CREATE TABLE closed_period (
    channel integer NOT NULL,
    closed_by text NOT NULL,
    days daterange NOT NULL CONSTRAINT closed_period_days_check CHECK (NOT isempty(days)),
    closed_at timestamptz NOT NULL,
    CONSTRAINT closed_period_pkey PRIMARY KEY (channel, closed_by)
);
COMMENT ON TABLE closed_period IS
    'Days of a channel that are pinned by what names itself in closed_by: later versions of them are late';
"""

# Runs that were approved before: the days that they pinned are closed.
CLOSE_APPROVED = """
INSERT INTO closed_period (channel, closed_by, days, closed_at)
SELECT (profile ->> 'channel')::integer,
       'settlement_run/' || r.id,
       daterange(min((profile ->> 'first')::date),
                 max((profile ->> 'first')::date + jsonb_array_length(profile -> 'versions'))),
       r.approved_at
FROM settlement_input si
JOIN settlement_run r ON r.id = si.run
CROSS JOIN LATERAL jsonb_array_elements(si.profiles) profile
WHERE si.approved AND jsonb_array_length(profile -> 'versions') > 0
GROUP BY 1, 2, r.approved_at
"""

VALIDATION = """
CREATE TABLE vee_work (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT vee_work_pkey PRIMARY KEY,
    bucket integer NOT NULL,
    channels integer[] NOT NULL CONSTRAINT vee_work_channels_check CHECK (cardinality(channels) > 0),
    first date NOT NULL,
    last date NOT NULL,
    reason text NOT NULL,
    CONSTRAINT vee_work_days_check CHECK (first <= last)
);
CREATE INDEX vee_work_bucket_ix ON vee_work (bucket, id);
COMMENT ON TABLE vee_work IS
    'Days (first to last, both included) of channels of one bucket whose validation is to be done';

CREATE TABLE finding (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT finding_pkey PRIMARY KEY,
    channel integer NOT NULL,
    day date NOT NULL,
    rule text NOT NULL,
    severity smallint NOT NULL CONSTRAINT finding_severity_check CHECK (severity BETWEEN 1 AND 3),
    first_index smallint NOT NULL,
    last_index smallint NOT NULL,
    measured double precision,
    allowed double precision,
    evidence jsonb NOT NULL,
    state text NOT NULL
        CONSTRAINT finding_state_check CHECK (state IN ('open', 'confirmed', 'overruled', 'gone')),
    found_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    reason text,
    CONSTRAINT finding_channel_day_rule_key UNIQUE (channel, day, rule),
    CONSTRAINT finding_channel_fkey FOREIGN KEY (channel) REFERENCES channel (id),
    CONSTRAINT finding_index_check CHECK (first_index BETWEEN 0 AND last_index),
    CONSTRAINT finding_decided_check CHECK (
        (decided_by IS NULL) = (decided_at IS NULL)
        AND (state NOT IN ('confirmed', 'overruled') OR decided_by IS NOT NULL)
        AND (state <> 'overruled' OR reason IS NOT NULL))
);
CREATE INDEX finding_state_ix ON finding (state, day, id);
COMMENT ON TABLE finding IS
    'What a rule found on a channel''s day: numbers compared, state, and who decided it; a re-run changes it in place';

CREATE TABLE vee_parameter (
    class text NOT NULL,
    rule text NOT NULL,
    parameters jsonb NOT NULL
        CONSTRAINT vee_parameter_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    reason text NOT NULL,
    CONSTRAINT vee_parameter_pkey PRIMARY KEY (class, rule)
);
COMMENT ON TABLE vee_parameter IS
    'Parameters of rules that the operator set for a class of channels, over those that ship';

CREATE TABLE vee_exemption (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT vee_exemption_pkey PRIMARY KEY,
    channel integer NOT NULL,
    kind text NOT NULL CONSTRAINT vee_exemption_kind_check CHECK (kind IN ('idle', 'outage')),
    days daterange NOT NULL CONSTRAINT vee_exemption_days_check CHECK (NOT isempty(days)),
    reason text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT vee_exemption_channel_fkey FOREIGN KEY (channel) REFERENCES channel (id),
    CONSTRAINT vee_exemption_channel_days_excl EXCLUDE USING gist (channel WITH =, days WITH &&)
);
COMMENT ON TABLE vee_exemption IS
    'Days on which a channel may measure nothing: known to be idle, or without supply';
"""


def upgrade() -> None:
    op.execute(PROFILES)
    op.execute(CLOSE_APPROVED)
    op.execute(VALIDATION)


def downgrade() -> None:
    op.execute("DROP TABLE vee_exemption, vee_parameter, finding, vee_work, closed_period")
    op.execute("""
        ALTER TABLE day_profile DROP COLUMN peak, DROP COLUMN total, DROP COLUMN late, DROP COLUMN base_digest
    """)
