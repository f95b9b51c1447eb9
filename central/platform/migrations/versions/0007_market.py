"""market: messages sent, their events, the inbox."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MESSAGES = """
CREATE TABLE market_message (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_message_pkey PRIMARY KEY,
    message_id text NOT NULL,
    message_code text NOT NULL,
    direction text NOT NULL DEFAULT 'out' CONSTRAINT market_message_direction_check CHECK (direction IN ('out', 'in')),
    format_package text NOT NULL,
    format_digest text NOT NULL,
    sender text NOT NULL,
    receiver text NOT NULL,
    supply_point bigint NOT NULL
        CONSTRAINT market_message_supply_point_fkey REFERENCES supply_point (id),
    period daterange NOT NULL CONSTRAINT market_message_period_check CHECK (NOT isempty(period)),
    version integer NOT NULL CONSTRAINT market_message_version_check CHECK (version > 0),
    state text NOT NULL CONSTRAINT market_message_state_check
        CHECK (state IN ('generated', 'saved', 'sent', 'accepted', 'accepted_with_reservation', 'rejected',
                         'timed_out', 'repaired')),
    xml bytea NOT NULL,
    basis jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    sent_at timestamptz,
    answered_at timestamptz,
    receipt text,
    reasons jsonb,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    CONSTRAINT market_message_sender_message_id_key UNIQUE (sender, message_id),
    CONSTRAINT market_message_supply_point_message_code_period_version_key
        UNIQUE (supply_point, message_code, period, version)
);
CREATE INDEX market_message_due_ix ON market_message (due_at) WHERE state IN ('saved', 'sent', 'timed_out');
COMMENT ON TABLE market_message IS
    'Zpráva pro OTE: one message of ours with its bytes as sent; corrected by a message of the next version';
COMMENT ON COLUMN market_message.message_id IS 'id in the XML, unique per sender';
COMMENT ON COLUMN market_message.format_digest IS 'SHA-256 of the package''s files';
COMMENT ON COLUMN market_message.version IS 'grows with every correction of (point, code, period)';
COMMENT ON COLUMN market_message.basis IS 'what the message was made from: profile versions';
COMMENT ON COLUMN market_message.sent_at IS 'when it was given to the channel last';
COMMENT ON COLUMN market_message.receipt IS 'the other end''s technical receipt of the last delivery';
COMMENT ON COLUMN market_message.reasons IS 'the answer''s reasons: type, code, text';
COMMENT ON COLUMN market_message.due_at IS 'wall time: when to send or repeat, or to stop waiting';
"""

EVENTS = """
CREATE TABLE market_message_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_message_event_pkey PRIMARY KEY,
    message bigint NOT NULL CONSTRAINT market_message_event_message_fkey REFERENCES market_message (id),
    at timestamptz NOT NULL,
    person text NOT NULL,
    act text NOT NULL CONSTRAINT market_message_event_act_check
        CHECK (act IN ('save', 'send', 'undelivered', 'refuse', 'accept', 'reserve', 'reject', 'expire', 'replace')),
    from_state text NOT NULL,
    to_state text NOT NULL,
    why text NOT NULL
);
CREATE INDEX market_message_event_message_ix ON market_message_event (message);
CREATE TRIGGER market_message_event_append_only BEFORE UPDATE OR DELETE ON market_message_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE market_message_event IS 'Append-only: every change of a message''s state, who, when, why';
"""

INBOX = """
CREATE TABLE market_inbox (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_inbox_pkey PRIMARY KEY,
    received_at timestamptz NOT NULL,
    person text NOT NULL,
    sender text,
    message_id text,
    message_code text,
    digest bytea NOT NULL,
    xml bytea NOT NULL,
    outcome text NOT NULL CONSTRAINT market_inbox_outcome_check
        CHECK (outcome IN ('applied', 'duplicate', 'unknown_reference', 'conflict', 'refused')),
    why text NOT NULL,
    messages bigint[] NOT NULL
);
CREATE INDEX market_inbox_sender_message_id_ix ON market_inbox (sender, message_id);
CREATE TRIGGER market_inbox_append_only BEFORE UPDATE OR DELETE ON market_inbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE market_inbox IS
    'Append-only: everything that came in, with what became of it; nothing is dropped';
COMMENT ON COLUMN market_inbox.person IS 'whose token brought it';
COMMENT ON COLUMN market_inbox.digest IS 'SHA-256 of the bytes kept';
COMMENT ON COLUMN market_inbox.xml IS 'as received; of one too large only its beginning';
COMMENT ON COLUMN market_inbox.messages IS 'messages of ours that it answers';
"""


def upgrade() -> None:
    """Create the room's tables."""
    op.execute(MESSAGES)
    op.execute(EVENTS)
    op.execute(INBOX)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TABLE market_inbox, market_message_event, market_message")
