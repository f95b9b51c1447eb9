"""ingest: batches, evidence, quarantine, events; the view that unnests blocks."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE batch (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT batch_pkey PRIMARY KEY,
    edge text NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    received_at timestamptz NOT NULL,
    evidence_channels integer[] NOT NULL,
    first_start timestamptz,
    last_end timestamptz,
    consolidated_at timestamptz,
    closed boolean NOT NULL DEFAULT false,
    CONSTRAINT batch_edge_epoch_seq_key UNIQUE (edge, epoch, seq)
);
CREATE INDEX batch_unconsolidated_ix ON batch (id) WHERE consolidated_at IS NULL;
CREATE INDEX batch_closed_ix ON batch (edge, received_at) WHERE closed;
COMMENT ON TABLE batch IS
    'A number that central has committed, and what its good blocks hold; closed: a hole that nobody held';

CREATE TABLE block (
    start timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    evidence_channel integer NOT NULL,
    step integer NOT NULL,
    marks smallint NOT NULL,
    "values" integer[] NOT NULL,
    quality integer[]
);
COMMENT ON TABLE block IS
    'Evidence: interval values as delivered, never changed; step in ms, quality the meter''s flags or NULL';

CREATE TABLE register_reading (
    at timestamptz NOT NULL,
    batch_id bigint NOT NULL,
    value bigint NOT NULL,
    evidence_channel integer NOT NULL,
    quality integer NOT NULL,
    marks smallint NOT NULL
);
COMMENT ON TABLE register_reading IS
    'Evidence: cumulative register states (stavy) as delivered, never changed';

CREATE TABLE quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT quarantine_pkey PRIMARY KEY,
    received_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    times integer NOT NULL DEFAULT 1,
    topic text NOT NULL,
    edge text,
    epoch bigint,
    seq bigint,
    index integer NOT NULL,
    reason_code text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    user_properties jsonb NOT NULL,
    digest bytea,
    CONSTRAINT quarantine_edge_epoch_seq_index_key UNIQUE (edge, epoch, seq, index)
);
CREATE UNIQUE INDEX quarantine_digest_key ON quarantine (digest) WHERE digest IS NOT NULL;
CREATE INDEX quarantine_reason_code_id_ix ON quarantine (reason_code, id);
COMMENT ON TABLE quarantine IS
    'What could not be taken, byte for byte, with the reason: a batch of one block, or a whole body (index -1)';

CREATE TABLE edge_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT edge_event_pkey PRIMARY KEY,
    at timestamptz NOT NULL,
    edge text NOT NULL,
    device text NOT NULL,
    kind text NOT NULL,
    data jsonb NOT NULL,
    batch_id bigint,
    received_at timestamptz NOT NULL
);
CREATE INDEX edge_event_edge_at_ix ON edge_event (edge, at);
COMMENT ON TABLE edge_event IS
    'What happened at a meter or an agent: meter events, gaps, clock corrections, closed holes';

CREATE TABLE edge_epoch (
    edge text NOT NULL,
    epoch bigint NOT NULL,
    upto bigint NOT NULL,
    finished_at timestamptz,
    CONSTRAINT edge_epoch_pkey PRIMARY KEY (edge, epoch)
);
COMMENT ON TABLE edge_epoch IS
    'A lower bound of the numbers 1..upto that are committed; finished: no number of it is open any more';
"""

HYPERTABLES = (
    "SELECT create_hypertable('block', by_range('start', INTERVAL '7 days'), create_default_indexes => false)",
    "SELECT create_hypertable('register_reading', by_range('at', INTERVAL '7 days'), create_default_indexes => false)",
    "CREATE INDEX block_evidence_channel_start_ix ON block (evidence_channel, start)",
    "CREATE INDEX register_reading_evidence_channel_at_ix ON register_reading (evidence_channel, at)",
)

# Evidence channels are read into memory by each ingest process; it listens for this.
NOTIFY = """
CREATE FUNCTION notify_evidence_channel() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('evidence_channel', '');
    RETURN NULL;
END $$;
CREATE TRIGGER evidence_channel_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON evidence_channel
    FOR EACH STATEMENT EXECUTE FUNCTION notify_evidence_channel();
"""

# Statement triggers: they cost nothing while nobody breaks the rule, and dropping old chunks does not fire them.
APPEND_ONLY = """
CREATE TRIGGER block_append_only BEFORE UPDATE OR DELETE ON block
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER register_reading_append_only BEFORE UPDATE OR DELETE ON register_reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

VIEW = """
CREATE VIEW block_value AS
SELECT b.evidence_channel,
       b.start + (item.place - 1) * b.step * interval '1 millisecond' AS ts,
       item.value,
       coalesce(b.quality[item.place], 0) AS quality,
       b.marks,
       b.batch_id
FROM block b
CROSS JOIN LATERAL unnest(b."values") WITH ORDINALITY AS item (value, place);
COMMENT ON VIEW block_value IS
    'One row a value of evidence: ts is the beginning of its interval, quality the meter''s flags, 0 when none';
"""


def upgrade() -> None:
    op.execute(TABLES)
    for statement in HYPERTABLES:
        op.execute(statement)
    op.execute(APPEND_ONLY)
    op.execute(NOTIFY)
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW block_value")
    op.execute("DROP TRIGGER evidence_channel_notify ON evidence_channel")
    op.execute("DROP FUNCTION notify_evidence_channel()")
    op.execute(
        "DROP TABLE edge_epoch, edge_event, quarantine; DROP TABLE register_reading; DROP TABLE block; DROP TABLE batch"
    )
