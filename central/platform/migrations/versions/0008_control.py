"""network: keys of concentrators, configurations, what concentrators say of themselves, commands."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEYS = """
CREATE TABLE concentrator_key (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT concentrator_key_pkey PRIMARY KEY,
    concentrator text NOT NULL CONSTRAINT concentrator_key_concentrator_fkey REFERENCES concentrator (id),
    public_key bytea NOT NULL CONSTRAINT concentrator_key_public_key_check CHECK (octet_length(public_key) = 32),
    enrolled_at timestamptz NOT NULL,
    enrolled_by text NOT NULL,
    replaced_at timestamptz
);
CREATE UNIQUE INDEX concentrator_key_present_ix ON concentrator_key (concentrator) WHERE replaced_at IS NULL;
COMMENT ON TABLE concentrator_key IS
    'X25519 public key for which secrets of a concentrator are sealed; one at a time, earlier ones stay';
"""

CONFIGURATIONS = """
CREATE TABLE edge_configuration (
    concentrator text NOT NULL CONSTRAINT edge_configuration_concentrator_fkey REFERENCES concentrator (id),
    number integer NOT NULL CONSTRAINT edge_configuration_number_check CHECK (number > 0),
    body text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT edge_configuration_pkey PRIMARY KEY (concentrator, number)
);
CREATE TRIGGER edge_configuration_append_only BEFORE UPDATE OR DELETE ON edge_configuration
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE edge_configuration IS
    'Append-only: configurations as concentrators get them (JSON, secrets sealed); the highest number is to run';

CREATE TABLE concentrator_state (
    concentrator text NOT NULL CONSTRAINT concentrator_state_pkey PRIMARY KEY
        CONSTRAINT concentrator_state_concentrator_fkey REFERENCES concentrator (id),
    online boolean NOT NULL,
    agent text NOT NULL,
    runs integer NOT NULL,
    heard_at timestamptz NOT NULL,
    refused_number integer,
    refused_at timestamptz,
    refused_reason text
);
COMMENT ON TABLE concentrator_state IS 'What a concentrator last said of itself: is it there, which configuration runs';
"""

COMMANDS = """
CREATE TABLE command (
    id text NOT NULL CONSTRAINT command_pkey PRIMARY KEY,
    concentrator text NOT NULL CONSTRAINT command_concentrator_fkey REFERENCES concentrator (id),
    act text NOT NULL CONSTRAINT command_act_check
        CHECK (act IN ('read_now', 'fill_range', 'set_clock', 'disconnect', 'reconnect', 'restart_bus',
                       'send_diagnostics')),
    work jsonb NOT NULL,
    state text NOT NULL CONSTRAINT command_state_check
        CHECK (state IN ('proposed', 'queued', 'sent', 'accepted', 'done', 'failed', 'refused', 'expired', 'unknown',
                         'withdrawn')),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    issued_by text NOT NULL,
    reason text NOT NULL,
    confirmed_by text,
    answered_at timestamptz,
    why text NOT NULL DEFAULT '',
    result jsonb,
    CONSTRAINT command_expires_check CHECK (expires_at > issued_at),
    CONSTRAINT command_confirmed_check CHECK (confirmed_by <> issued_by)
);
CREATE INDEX command_open_ix ON command (expires_at)
    WHERE state IN ('proposed', 'queued', 'sent', 'accepted', 'unknown');
CREATE INDEX command_concentrator_ix ON command (concentrator, issued_at);
COMMENT ON TABLE command IS 'Povel: what a concentrator is told to do; its id makes it happen once';
COMMENT ON COLUMN command.confirmed_by IS 'the second person, where the act needs one';
COMMENT ON COLUMN command.why IS 'the last answer''s reason';

CREATE TABLE command_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT command_event_pkey PRIMARY KEY,
    command text NOT NULL CONSTRAINT command_event_command_fkey REFERENCES command (id),
    at timestamptz NOT NULL,
    person text NOT NULL,
    step text NOT NULL CONSTRAINT command_event_step_check
        CHECK (step IN ('confirm', 'withdraw', 'send', 'accept', 'complete', 'fail', 'refuse', 'expire', 'lose')),
    from_state text NOT NULL,
    to_state text NOT NULL,
    why text NOT NULL
);
CREATE INDEX command_event_command_ix ON command_event (command);
CREATE TRIGGER command_event_append_only BEFORE UPDATE OR DELETE ON command_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE command_event IS 'Append-only: every change of a command''s state, who, when, why';
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(KEYS)
    op.execute(CONFIGURATIONS)
    op.execute(COMMANDS)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TABLE command_event, command, concentrator_state, edge_configuration, concentrator_key")
