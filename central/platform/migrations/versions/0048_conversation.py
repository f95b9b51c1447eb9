"""market: conversations and what is received."""

from alembic import op

revision = "0048"
down_revision = "0043"
branch_labels = None
depends_on = None

OUTCOMES = """
ALTER TABLE market_inbox DROP CONSTRAINT market_inbox_outcome_check;
ALTER TABLE market_inbox ADD CONSTRAINT market_inbox_outcome_check
    CHECK (outcome IN ('applied', 'proposed', 'kept', 'duplicate', 'unknown_reference', 'conflict', 'refused'));
CREATE INDEX market_inbox_messages_ix ON market_inbox USING gin (messages);
ALTER TABLE market_message ADD COLUMN environment text
    CONSTRAINT market_message_environment_check CHECK (environment IN ('production', 'sandbox'));
COMMENT ON COLUMN market_message.environment IS 'of the channel that it was given to last';
"""

PROCESS = """
CREATE TABLE market_process_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_process_event_pkey PRIMARY KEY,
    process bigint NOT NULL CONSTRAINT market_process_event_process_fkey REFERENCES market_process (id),
    at timestamptz NOT NULL,
    person text NOT NULL,
    act text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    why text NOT NULL,
    message bigint CONSTRAINT market_process_event_message_fkey REFERENCES market_message (id),
    inbox bigint CONSTRAINT market_process_event_inbox_fkey REFERENCES market_inbox (id)
);
CREATE INDEX market_process_event_process_ix ON market_process_event (process);
CREATE TRIGGER market_process_event_append_only BEFORE UPDATE OR DELETE ON market_process_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE market_process_event IS 'Append-only: every step of a conversation, by which message, who, when, why';
COMMENT ON COLUMN market_process_event.from_state IS 'NULL: it was opened';
CREATE TABLE market_outage (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT market_outage_pkey PRIMARY KEY,
    valid tstzrange NOT NULL CONSTRAINT market_outage_valid_check
        CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid)),
    channel text,
    why text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    cancelled_at timestamptz
);
CREATE INDEX market_outage_valid_ix ON market_outage (upper(valid)) WHERE cancelled_at IS NULL;
COMMENT ON TABLE market_outage IS
    'Plánovaná odstávka: when the market operator takes nothing; nothing is sent meanwhile';
COMMENT ON COLUMN market_outage.channel IS 'NULL: all channels';
"""

RECEIVED = """
CREATE TABLE received_invoice (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT received_invoice_pkey PRIMARY KEY,
    inbox bigint NOT NULL CONSTRAINT received_invoice_inbox_fkey REFERENCES market_inbox (id),
    issuer text NOT NULL,
    recipient text NOT NULL,
    number text NOT NULL,
    kind text NOT NULL,
    corrects text,
    point_code text NOT NULL,
    supply_point bigint CONSTRAINT received_invoice_supply_point_fkey REFERENCES supply_point (id),
    period daterange NOT NULL CONSTRAINT received_invoice_period_check CHECK (NOT isempty(period)),
    issued date NOT NULL,
    tax_point date,
    due date NOT NULL,
    variable_symbol text NOT NULL,
    net numeric(14, 2) NOT NULL,
    vat numeric(14, 2) NOT NULL,
    gross numeric(14, 2) NOT NULL,
    to_pay numeric(14, 2) NOT NULL,
    problems text[] NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT received_invoice_issuer_number_key UNIQUE (issuer, number)
);
CREATE INDEX received_invoice_inbox_ix ON received_invoice (inbox);
CREATE INDEX received_invoice_supply_point_ix ON received_invoice (supply_point);
COMMENT ON TABLE received_invoice IS
    'Přijatá faktura za distribuci: an invoice that came as a market message (127, GP6), one per issuer and number';
COMMENT ON COLUMN received_invoice.point_code IS 'EAN or EIC of the point as it came';
COMMENT ON COLUMN received_invoice.problems IS 'What is not right in it, a sentence each';
CREATE TABLE received_invoice_item (
    invoice bigint NOT NULL CONSTRAINT received_invoice_item_invoice_fkey REFERENCES received_invoice (id),
    place integer NOT NULL,
    code text NOT NULL,
    description text NOT NULL,
    period daterange NOT NULL CONSTRAINT received_invoice_item_period_check CHECK (NOT isempty(period)),
    quantity numeric,
    unit text,
    unit_price numeric,
    net numeric(14, 2) NOT NULL,
    vat_rate numeric(5, 2) NOT NULL,
    CONSTRAINT received_invoice_item_pkey PRIMARY KEY (invoice, place)
);
COMMENT ON TABLE received_invoice_item IS 'Položka přijaté faktury: a line with its item code';
CREATE TABLE received_tariff (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT received_tariff_pkey PRIMARY KEY,
    inbox bigint NOT NULL CONSTRAINT received_tariff_inbox_fkey REFERENCES market_inbox (id),
    document text NOT NULL,
    segment text NOT NULL,
    point_code text NOT NULL,
    supply_point bigint CONSTRAINT received_tariff_supply_point_fkey REFERENCES supply_point (id),
    valid daterange NOT NULL CONSTRAINT received_tariff_valid_check CHECK (NOT isempty(valid)),
    rate text,
    breaker_phases integer,
    breaker_amps numeric(8, 1)
);
CREATE INDEX received_tariff_inbox_ix ON received_tariff (inbox);
CREATE INDEX received_tariff_supply_point_ix ON received_tariff (supply_point);
COMMENT ON TABLE received_tariff IS
    'Sazba a jistič podle DUF: rate and breaker over days as the billing data received say them, with their source';
"""


def upgrade() -> None:
    """What is received has a place and an effect; conversations have steps; outages are planned."""
    for block in (OUTCOMES, PROCESS, RECEIVED):
        op.execute(block)


def downgrade() -> None:
    """What was received stays, by the words of before."""
    op.execute("DROP TABLE received_tariff, received_invoice_item, received_invoice")
    op.execute("DROP TABLE market_outage, market_process_event")
    op.execute("DROP INDEX market_inbox_messages_ix")
    op.execute("ALTER TABLE market_message DROP COLUMN environment")
    op.execute("""
        ALTER TABLE market_inbox DISABLE TRIGGER market_inbox_append_only;
        UPDATE market_inbox SET outcome = 'refused' WHERE outcome IN ('proposed', 'kept');
        ALTER TABLE market_inbox ENABLE TRIGGER market_inbox_append_only;
        ALTER TABLE market_inbox DROP CONSTRAINT market_inbox_outcome_check;
        ALTER TABLE market_inbox ADD CONSTRAINT market_inbox_outcome_check
            CHECK (outcome IN ('applied', 'duplicate', 'unknown_reference', 'conflict', 'refused'));
    """)
