"""registers: versions of physical registers, states entered by people, switching times of tariffs."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

NETWORK = """
CREATE TABLE register_version (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT register_version_pkey PRIMARY KEY,
    evidence_channel integer NOT NULL CONSTRAINT register_version_evidence_channel_fkey
        REFERENCES evidence_channel (id),
    digits smallint NOT NULL CONSTRAINT register_version_digits_check CHECK (digits BETWEEN 1 AND 18),
    unit text NOT NULL,
    exponent integer NOT NULL,
    multiplier integer NOT NULL DEFAULT 1 CONSTRAINT register_version_multiplier_check CHECK (multiplier > 0),
    tariff text CONSTRAINT register_version_tariff_check CHECK (tariff IN ('VT', 'NT', 'JT')),
    obis text,
    valid tstzrange NOT NULL CONSTRAINT register_version_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT register_version_evidence_channel_valid_excl
        EXCLUDE USING gist (evidence_channel WITH =, valid WITH &&)
);
COMMENT ON TABLE register_version IS
    'Číselník: digits before it rolls over, unit, last digit, constant and tariff of a physical register, by validity';
"""

READINGS = """
CREATE TABLE meter_state (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT meter_state_pkey PRIMARY KEY,
    evidence_channel integer NOT NULL CONSTRAINT meter_state_evidence_channel_fkey
        REFERENCES evidence_channel (id),
    kind text NOT NULL CONSTRAINT meter_state_kind_check
        CHECK (kind IN ('own', 'customer', 'estimate', 'exchange', 'change_of_supplier',
                        'change_of_customer', 'initial', 'contractual_initial', 'removal')),
    at timestamptz NOT NULL,
    value bigint NOT NULL CONSTRAINT meter_state_value_check CHECK (value >= 0),
    period_start timestamptz,
    pz_date date,
    rolled_over boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT '',
    document text,
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    locked_by text,
    locked_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    revoked_reason text,
    CONSTRAINT meter_state_period_check CHECK (period_start < at),
    CONSTRAINT meter_state_locked_check CHECK ((locked_by IS NULL) = (locked_at IS NULL)),
    CONSTRAINT meter_state_revoked_check CHECK (
        (revoked_at IS NULL) = (revoked_by IS NULL) AND (revoked_at IS NULL) = (revoked_reason IS NULL)),
    CONSTRAINT meter_state_locked_stays_check CHECK (locked_at IS NULL OR revoked_at IS NULL)
);
CREATE UNIQUE INDEX meter_state_active_key ON meter_state (evidence_channel, at, kind) WHERE revoked_at IS NULL;
COMMENT ON TABLE meter_state IS
    'Stav měřidla entered by a person or imported, with its meaning; at is the end of its measuring period';
CREATE TRIGGER meter_state_locked_unchanged BEFORE UPDATE OR DELETE ON meter_state
    FOR EACH ROW WHEN (OLD.locked_at IS NOT NULL) EXECUTE FUNCTION refuse_change();

CREATE TABLE tariff_schedule (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT tariff_schedule_pkey PRIMARY KEY,
    code text NOT NULL CONSTRAINT tariff_schedule_code_key UNIQUE,
    name text NOT NULL
);
COMMENT ON TABLE tariff_schedule IS
    'Spínání sazeb: a command of the ripple control (povel HDO) or a clock in the meter';

CREATE TABLE switching_time (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT switching_time_pkey PRIMARY KEY,
    schedule integer NOT NULL CONSTRAINT switching_time_schedule_fkey REFERENCES tariff_schedule (id),
    day_kind smallint NOT NULL CONSTRAINT switching_time_day_kind_check CHECK (day_kind BETWEEN 1 AND 8),
    low smallint[] NOT NULL CONSTRAINT switching_time_low_check CHECK (cardinality(low) % 2 = 0),
    valid daterange NOT NULL CONSTRAINT switching_time_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT switching_time_schedule_day_kind_valid_excl
        EXCLUDE USING gist (schedule WITH =, day_kind WITH =, valid WITH &&)
);
COMMENT ON TABLE switching_time IS
    'Low tariff (NT) of a kind of day: pairs of minutes of local time, end exclusive; 1 Monday .. 7 Sunday, 8 holiday';

CREATE TABLE channel_schedule (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT channel_schedule_pkey PRIMARY KEY,
    channel integer NOT NULL CONSTRAINT channel_schedule_channel_fkey REFERENCES channel (id),
    schedule integer NOT NULL CONSTRAINT channel_schedule_schedule_fkey REFERENCES tariff_schedule (id),
    valid daterange NOT NULL CONSTRAINT channel_schedule_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT channel_schedule_channel_valid_excl EXCLUDE USING gist (channel WITH =, valid WITH &&)
);
COMMENT ON TABLE channel_schedule IS 'By which switching times the tariffs of a channel are told apart, by validity';
"""


def upgrade() -> None:
    op.execute(NETWORK)
    op.execute(READINGS)


def downgrade() -> None:
    op.execute("DROP TABLE channel_schedule, switching_time, tariff_schedule, meter_state, register_version")
