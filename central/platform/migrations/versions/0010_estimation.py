"""readings: load-profile classes, order of estimation, check channels, days that wait, manual edits."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LOAD_PROFILES = """
CREATE TABLE load_profile_import (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT load_profile_import_pkey PRIMARY KEY,
    commodity text NOT NULL CONSTRAINT load_profile_import_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    kind text NOT NULL CONSTRAINT load_profile_import_kind_check CHECK (kind IN ('normalised', 'recomputed')),
    zone text NOT NULL DEFAULT '',
    source text NOT NULL,
    mark text NOT NULL CONSTRAINT load_profile_import_mark_check
        CHECK (mark IN ('documented', 'inferred', 'assumed')),
    digest bytea NOT NULL CONSTRAINT load_profile_import_digest_key UNIQUE,
    days integer NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL
);
COMMENT ON TABLE load_profile_import IS
    'One import of TDD series, with its source and how sure they are; digest makes a repetition harmless';

CREATE TABLE load_profile_class_value (
    commodity text NOT NULL,
    class text NOT NULL,
    kind text NOT NULL,
    zone text NOT NULL,
    day date NOT NULL,
    import_id bigint NOT NULL CONSTRAINT load_profile_class_value_import_id_fkey REFERENCES load_profile_import (id),
    "values" double precision[] NOT NULL
        CONSTRAINT load_profile_class_value_values_check CHECK (cardinality("values") > 0),
    CONSTRAINT load_profile_class_value_pkey PRIMARY KEY (commodity, class, kind, zone, day, import_id)
);
COMMENT ON TABLE load_profile_class_value IS
    'TDD of a class on a metering day: hours or quarter-hours (gas: the day or hours); newest import counts';
CREATE TRIGGER load_profile_class_value_append_only BEFORE UPDATE OR DELETE ON load_profile_class_value
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE load_profile_rate (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT load_profile_rate_pkey PRIMARY KEY,
    package text NOT NULL,
    commodity text NOT NULL CONSTRAINT load_profile_rate_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    rate text NOT NULL,
    class text NOT NULL,
    valid daterange NOT NULL CONSTRAINT load_profile_rate_valid_check CHECK (NOT isempty(valid)),
    source text NOT NULL,
    mark text NOT NULL
        CONSTRAINT load_profile_rate_mark_check CHECK (mark IN ('documented', 'inferred', 'assumed')),
    CONSTRAINT load_profile_rate_valid_excl EXCLUDE USING gist (commodity WITH =, rate WITH =, valid WITH &&)
);
COMMENT ON TABLE load_profile_rate IS
    'Třída TDD of a distribution rate: law as data, for points that have no class of their own';
"""

ESTIMATION = """
CREATE TABLE estimation_order (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT estimation_order_pkey PRIMARY KEY,
    package text NOT NULL,
    package_version text NOT NULL,
    commodity text NOT NULL CONSTRAINT estimation_order_commodity_check CHECK (commodity IN ('electricity', 'gas')),
    metering_type text NOT NULL,
    class text NOT NULL CONSTRAINT estimation_order_class_check CHECK (class IN ('active', 'reactive', 'volume')),
    valid daterange NOT NULL CONSTRAINT estimation_order_valid_check CHECK (NOT isempty(valid)),
    steps jsonb NOT NULL,
    most_estimated_days integer NOT NULL,
    within_days integer NOT NULL,
    source text NOT NULL,
    mark text NOT NULL CONSTRAINT estimation_order_mark_check CHECK (mark IN ('documented', 'inferred', 'assumed')),
    active boolean NOT NULL,
    installed_at timestamptz NOT NULL,
    CONSTRAINT estimation_order_limits_check CHECK (most_estimated_days >= 0 AND within_days > 0),
    CONSTRAINT estimation_order_valid_excl EXCLUDE USING gist
        (commodity WITH =, metering_type WITH =, class WITH =, valid WITH &&) WHERE (active)
);
COMMENT ON TABLE estimation_order IS
    'Pořadí náhradních hodnot: which methods make substitute values, in order, with limits; '''' is any type';

CREATE TABLE check_channel (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT check_channel_pkey PRIMARY KEY,
    channel integer NOT NULL CONSTRAINT check_channel_channel_fkey REFERENCES channel (id),
    check_channel integer NOT NULL CONSTRAINT check_channel_check_channel_fkey REFERENCES channel (id),
    valid tstzrange NOT NULL CONSTRAINT check_channel_valid_check CHECK (NOT isempty(valid)),
    CONSTRAINT check_channel_itself_check CHECK (channel <> check_channel),
    CONSTRAINT check_channel_channel_valid_excl EXCLUDE USING gist (channel WITH =, valid WITH &&)
);
CREATE INDEX check_channel_check_channel_ix ON check_channel (check_channel);
COMMENT ON TABLE check_channel IS
    'Kontrolní měřidlo: a channel that measures the same as another, since when until when';

CREATE TABLE estimation_pending (
    channel integer NOT NULL,
    day date NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    missing integer NOT NULL,
    asked_at timestamptz,
    tried_at timestamptz NOT NULL,
    due timestamptz,
    CONSTRAINT estimation_pending_pkey PRIMARY KEY (channel, day)
);
CREATE INDEX day_profile_incomplete_ix ON day_profile (channel, day) WHERE missing > 0;
CREATE INDEX estimation_pending_due_ix ON estimation_pending (due);
COMMENT ON TABLE estimation_pending IS
    'Days that stay incomplete: why they were not estimated; tried again at due and when something changes';
"""

EDITS = """
CREATE TABLE profile_edit (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT profile_edit_pkey PRIMARY KEY,
    channel integer NOT NULL CONSTRAINT profile_edit_channel_fkey REFERENCES channel (id),
    day date NOT NULL,
    intervals int4range NOT NULL,
    "values" integer[] NOT NULL,
    before integer[] NOT NULL,
    based_on integer NOT NULL,
    changed bigint NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CONSTRAINT profile_edit_state_check
        CHECK (state IN ('proposed', 'active', 'refused', 'undone')),
    needs_second boolean NOT NULL,
    proposed_at timestamptz NOT NULL,
    proposed_by text NOT NULL,
    decided_at timestamptz,
    decided_by text,
    decision text,
    undone_at timestamptz,
    undone_by text,
    undone_because text,
    contradicted_at timestamptz,
    CONSTRAINT profile_edit_intervals_check CHECK (
        NOT isempty(intervals) AND cardinality("values") = upper(intervals) - lower(intervals)
        AND cardinality(before) = cardinality("values")),
    CONSTRAINT profile_edit_second_person_check CHECK (
        state <> 'active' OR NOT needs_second OR (decided_by IS NOT NULL AND decided_by <> proposed_by)),
    CONSTRAINT profile_edit_channel_day_intervals_excl EXCLUDE USING gist
        (channel WITH =, day WITH =, intervals WITH &&) WHERE (state IN ('proposed', 'active'))
);
CREATE INDEX profile_edit_active_ix ON profile_edit (channel, day) WHERE state = 'active';
COMMENT ON TABLE profile_edit IS
    'Ruční úprava: values of intervals of a day entered by a person, with reason and second person';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(LOAD_PROFILES)
    op.execute(ESTIMATION)
    op.execute(EDITS)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP INDEX day_profile_incomplete_ix")
    op.execute(
        "DROP TABLE profile_edit, estimation_pending, check_channel, estimation_order, load_profile_rate, "
        "load_profile_class_value, load_profile_import"
    )
