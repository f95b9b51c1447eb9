"""market_core: messages about anything, what is to be told, conversations, what was received and waits."""

from alembic import op

revision = "0036"
down_revision = "0033"
branch_labels = None
depends_on = None

PROCESS = """
CREATE TABLE market_process (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_process_pkey PRIMARY KEY,
    scenario text NOT NULL,
    reference text NOT NULL,
    subject_kind text NOT NULL CONSTRAINT market_process_subject_kind_check
        CHECK (subject_kind IN ('supply_point', 'network', 'document', 'request')),
    subject text NOT NULL,
    supply_point bigint CONSTRAINT market_process_supply_point_fkey REFERENCES supply_point (id),
    state text NOT NULL,
    deadline timestamptz,
    data jsonb NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    closed_at timestamptz,
    CONSTRAINT market_process_scenario_reference_key UNIQUE (scenario, reference)
);
CREATE INDEX market_process_supply_point_ix ON market_process (supply_point);
CREATE INDEX market_process_open_ix ON market_process (deadline) WHERE closed_at IS NULL;
COMMENT ON TABLE market_process IS
    'Scénář komunikace: one conversation with the market operator by a scenario (registration, change of supplier)';
COMMENT ON COLUMN market_process.reference IS
    'What tells it from others of its scenario: the request''s id, ours or theirs';
COMMENT ON COLUMN market_process.state IS 'A state of the scenario''s transition table';
"""

DUTY = """
CREATE TABLE market_duty (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_duty_pkey PRIMARY KEY,
    message_code text NOT NULL,
    subject_kind text NOT NULL CONSTRAINT market_duty_subject_kind_check
        CHECK (subject_kind IN ('supply_point', 'network', 'document', 'request')),
    subject text NOT NULL,
    supply_point bigint CONSTRAINT market_duty_supply_point_fkey REFERENCES supply_point (id),
    period daterange NOT NULL CONSTRAINT market_duty_period_check CHECK (NOT isempty(period)),
    month date NOT NULL CONSTRAINT market_duty_month_check CHECK (extract(day FROM month) = 1),
    why text NOT NULL,
    cause jsonb NOT NULL,
    state text NOT NULL CONSTRAINT market_duty_state_check CHECK (state IN ('open', 'told', 'done', 'waived')),
    problem text,
    arose_at timestamptz NOT NULL,
    deadline timestamptz,
    done_at timestamptz,
    CONSTRAINT market_duty_message_code_subject_kind_subject_period_why_key
        UNIQUE (message_code, subject_kind, subject, period, why)
);
CREATE INDEX market_duty_supply_point_ix ON market_duty (supply_point);
CREATE INDEX market_duty_month_ix ON market_duty (month, state);
CREATE INDEX market_duty_due_ix ON market_duty (deadline) WHERE state IN ('open', 'told');
COMMENT ON TABLE market_duty IS
    'Co je třeba sdělit: a message that the market operator must get, because of a registry act, closed days or a bill';
COMMENT ON COLUMN market_duty.month IS 'The month that is not done before this is';
COMMENT ON COLUMN market_duty.why IS 'Kind of what made it arise: registration, exchange, month, bill_issued, ...';
COMMENT ON COLUMN market_duty.cause IS
    'The records that made it arise, by kind and id; another cause makes another version';
COMMENT ON COLUMN market_duty.problem IS 'Why no message could be made yet';
"""

MESSAGE = """
ALTER TABLE market_message ADD COLUMN subject_kind text NOT NULL DEFAULT 'supply_point'
    CONSTRAINT market_message_subject_kind_check
    CHECK (subject_kind IN ('supply_point', 'network', 'document', 'request'));
ALTER TABLE market_message ALTER COLUMN subject_kind DROP DEFAULT;
ALTER TABLE market_message ADD COLUMN subject text;
UPDATE market_message SET subject = supply_point.ean FROM supply_point
    WHERE supply_point.id = market_message.supply_point;
ALTER TABLE market_message ALTER COLUMN subject SET NOT NULL;
ALTER TABLE market_message ALTER COLUMN supply_point DROP NOT NULL;
ALTER TABLE market_message ADD COLUMN duty bigint
    CONSTRAINT market_message_duty_fkey REFERENCES market_duty (id);
ALTER TABLE market_message ADD COLUMN process bigint
    CONSTRAINT market_message_process_fkey REFERENCES market_process (id);
ALTER TABLE market_message ADD COLUMN deadline timestamptz;
ALTER TABLE market_message DROP CONSTRAINT market_message_supply_point_message_code_period_version_key;
ALTER TABLE market_message ADD CONSTRAINT market_message_subject_key
    UNIQUE (message_code, subject_kind, subject, period, version);
CREATE INDEX market_message_supply_point_ix ON market_message (supply_point);
CREATE INDEX market_message_duty_ix ON market_message (duty);
CREATE INDEX market_message_process_ix ON market_message (process);
COMMENT ON COLUMN market_message.subject IS
    'What the message is about: EAN or EIC of a point, code of a network, number of a document, id of a request';
COMMENT ON COLUMN market_message.version IS 'grows with every correction of (subject, code, period)';
COMMENT ON COLUMN market_message.basis IS 'what the message was made from: records by kind, id and version';
COMMENT ON COLUMN market_message.deadline IS 'until when it must be accepted';
"""

PROPOSAL = """
CREATE TABLE market_proposal (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_proposal_pkey PRIMARY KEY,
    inbox bigint NOT NULL CONSTRAINT market_proposal_inbox_fkey REFERENCES market_inbox (id),
    process bigint CONSTRAINT market_proposal_process_fkey REFERENCES market_process (id),
    kind text NOT NULL,
    subject text NOT NULL,
    supply_point bigint CONSTRAINT market_proposal_supply_point_fkey REFERENCES supply_point (id),
    proposed jsonb NOT NULL,
    state text NOT NULL CONSTRAINT market_proposal_state_check CHECK (state IN ('waiting', 'taken', 'refused')),
    why text NOT NULL,
    made_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text,
    result jsonb,
    CONSTRAINT market_proposal_decided_check CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE INDEX market_proposal_inbox_ix ON market_proposal (inbox);
CREATE INDEX market_proposal_supply_point_ix ON market_proposal (supply_point);
CREATE INDEX market_proposal_waiting_ix ON market_proposal (made_at) WHERE state = 'waiting';
COMMENT ON TABLE market_proposal IS
    'Návrh z došlé zprávy: what a received message would change here, waiting for a decision or decided';
COMMENT ON COLUMN market_proposal.why IS 'Why it waits, or why it was decided so';
COMMENT ON COLUMN market_proposal.result IS 'The records that it changed, by kind and id';
"""


def upgrade() -> None:
    op.execute(PROCESS + DUTY + MESSAGE + PROPOSAL)


def downgrade() -> None:
    op.execute("""
        DROP TABLE market_proposal;
        ALTER TABLE market_message_event DISABLE TRIGGER market_message_event_append_only;
        DELETE FROM market_message_event WHERE message IN (SELECT id FROM market_message WHERE supply_point IS NULL);
        DELETE FROM market_message WHERE supply_point IS NULL;
        ALTER TABLE market_message_event ENABLE TRIGGER market_message_event_append_only;
        DROP INDEX market_message_supply_point_ix;
        ALTER TABLE market_message
            DROP CONSTRAINT market_message_subject_key,
            DROP COLUMN deadline, DROP COLUMN process, DROP COLUMN duty,
            DROP COLUMN subject, DROP COLUMN subject_kind,
            ALTER COLUMN supply_point SET NOT NULL,
            ADD CONSTRAINT market_message_supply_point_message_code_period_version_key
                UNIQUE (supply_point, message_code, period, version);
        DROP TABLE market_duty, market_process;
    """)
