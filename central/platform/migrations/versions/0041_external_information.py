"""external_information: sources outside, what was fetched from them and when, and the values that came of it."""

from alembic import op

revision = "0041"
down_revision = "0039"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE external_source (
    code text CONSTRAINT external_source_pkey PRIMARY KEY,
    adapter text NOT NULL,
    name text NOT NULL,
    addresses text[] NOT NULL CONSTRAINT external_source_addresses_check CHECK (cardinality(addresses) > 0),
    settings jsonb NOT NULL,
    every_minutes integer CONSTRAINT external_source_every_minutes_check CHECK (every_minutes > 0),
    daily_at time,
    active boolean NOT NULL,
    breaker text NOT NULL CONSTRAINT external_source_breaker_check CHECK (breaker IN ('closed', 'open', 'half_open')),
    failures integer NOT NULL CONSTRAINT external_source_failures_check CHECK (failures >= 0),
    opened_at timestamptz,
    scheduled_at timestamptz,
    succeeded_at timestamptz,
    failed_at timestamptz,
    error text,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    CONSTRAINT external_source_schedule_check CHECK (num_nonnulls(every_minutes, daily_at) <= 1),
    CONSTRAINT external_source_opened_at_check CHECK (breaker <> 'open' OR opened_at IS NOT NULL)
);
COMMENT ON TABLE external_source IS
    'Zdroj externích informací: what is asked where, how often, and how its circuit breaker stands';

CREATE TABLE external_run (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT external_run_pkey PRIMARY KEY,
    source text NOT NULL CONSTRAINT external_run_source_fkey REFERENCES external_source (code),
    parameters jsonb NOT NULL,
    scheduled boolean NOT NULL,
    state text NOT NULL CONSTRAINT external_run_state_check CHECK (state IN ('waiting', 'done', 'failed')),
    attempts integer NOT NULL CONSTRAINT external_run_attempts_check CHECK (attempts >= 0),
    not_before timestamptz NOT NULL,
    asked_at timestamptz NOT NULL,
    asked_by text NOT NULL,
    reason text NOT NULL,
    ended_at timestamptz,
    error text,
    CONSTRAINT external_run_ended_at_check CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX external_run_source_ix ON external_run (source, id);
CREATE INDEX external_run_waiting_ix ON external_run (not_before) WHERE state = 'waiting';
CREATE UNIQUE INDEX external_run_scheduled_ix ON external_run (source) WHERE state = 'waiting' AND scheduled;
COMMENT ON TABLE external_run IS 'What is to be fetched, by schedule or because a person asked; waits until it is done';

CREATE TABLE external_content (
    digest text CONSTRAINT external_content_pkey PRIMARY KEY,
    octets bytea NOT NULL,
    kept_at timestamptz NOT NULL
);
COMMENT ON TABLE external_content IS 'Append-only: octets as they came from outside, once for each digest';

CREATE TABLE external_fetch (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT external_fetch_pkey PRIMARY KEY,
    source text NOT NULL CONSTRAINT external_fetch_source_fkey REFERENCES external_source (code),
    run bigint NOT NULL CONSTRAINT external_fetch_run_fkey REFERENCES external_run (id),
    part text NOT NULL,
    address text NOT NULL,
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status integer,
    octets integer NOT NULL,
    digest text CONSTRAINT external_fetch_digest_fkey REFERENCES external_content (digest),
    error text,
    CONSTRAINT external_fetch_outcome_check CHECK (digest IS NOT NULL OR error IS NOT NULL)
);
CREATE INDEX external_fetch_source_ix ON external_fetch (source, id);
CREATE INDEX external_fetch_run_ix ON external_fetch (run);
COMMENT ON TABLE external_fetch IS 'Append-only: every attempt to fetch, with what came or why nothing did';

CREATE TABLE external_taking (
    fetch_id bigint CONSTRAINT external_taking_pkey PRIMARY KEY
        CONSTRAINT external_taking_fetch_id_fkey REFERENCES external_fetch (id),
    at timestamptz NOT NULL,
    outcome text NOT NULL CONSTRAINT external_taking_outcome_check
        CHECK (outcome IN ('taken', 'unreadable', 'refused')),
    records integer NOT NULL,
    added integer NOT NULL,
    changed integer NOT NULL,
    error text
);
COMMENT ON TABLE external_taking IS 'Append-only: what was made of a fetch; one without a row is still to be read';

CREATE TABLE external_value (
    series text NOT NULL,
    key text NOT NULL,
    version integer NOT NULL,
    begins timestamptz,
    content jsonb NOT NULL,
    fetch_id bigint NOT NULL CONSTRAINT external_value_fetch_id_fkey REFERENCES external_fetch (id),
    stored_at timestamptz NOT NULL,
    CONSTRAINT external_value_pkey PRIMARY KEY (series, key, version)
);
CREATE INDEX external_value_begins_ix ON external_value (series, begins);
CREATE INDEX external_value_fetch_id_ix ON external_value (fetch_id);
COMMENT ON TABLE external_value IS 'Append-only: values by series and key; another content is a new version';

CREATE TRIGGER external_content_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON external_content
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER external_fetch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON external_fetch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER external_taking_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON external_taking
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER external_value_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON external_value
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

DOWN = """
DROP TABLE external_value;
DROP TABLE external_taking;
DROP TABLE external_fetch;
DROP TABLE external_content;
DROP TABLE external_run;
DROP TABLE external_source;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
