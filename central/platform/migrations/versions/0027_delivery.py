"""delivery: documents on their way by mail, batches for print."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

DELIVERY = """
CREATE TABLE print_batch (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT print_batch_pkey PRIMARY KEY,
    documents integer NOT NULL CONSTRAINT print_batch_documents_check CHECK (documents > 0),
    made_at timestamptz NOT NULL,
    made_by text NOT NULL
);
COMMENT ON TABLE print_batch IS
    'Tisková dávka: documents that go to the printer together, in the order of their numbers';

CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT delivery_pkey PRIMARY KEY,
    invoice bigint NOT NULL CONSTRAINT delivery_invoice_fkey REFERENCES invoice (id),
    kind text NOT NULL CONSTRAINT delivery_kind_check CHECK (kind IN ('mail', 'print')),
    state text NOT NULL CONSTRAINT delivery_state_check
        CHECK (state IN ('queued', 'sending', 'deferred', 'sent', 'refused', 'bounced', 'withdrawn')),
    address text NOT NULL,
    message_id text NOT NULL CONSTRAINT delivery_message_id_key UNIQUE,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    answer text,
    queued_at timestamptz NOT NULL,
    queued_by text NOT NULL,
    sent_at timestamptz,
    batch bigint CONSTRAINT delivery_batch_fkey REFERENCES print_batch (id),
    CONSTRAINT delivery_batch_check CHECK ((batch IS NOT NULL) = (kind = 'print' AND state = 'sent')),
    CONSTRAINT delivery_sent_at_check CHECK ((sent_at IS NOT NULL) = (state IN ('sent', 'bounced'))),
    CONSTRAINT delivery_due_check
        CHECK ((due_at IS NOT NULL) = (kind = 'mail' AND state IN ('queued', 'sending', 'deferred')))
);
CREATE INDEX delivery_invoice_ix ON delivery (invoice);
CREATE INDEX delivery_batch_ix ON delivery (batch);
CREATE UNIQUE INDEX delivery_under_way_ix ON delivery (invoice, kind)
    WHERE state IN ('queued', 'sending', 'deferred');
CREATE INDEX delivery_due_ix ON delivery (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE delivery IS 'Doručení: one document on its way to an address, by mail or in print';
COMMENT ON COLUMN delivery.due_at IS 'When to try next; while sending: when to take it for given up';
COMMENT ON COLUMN delivery.answer IS 'What the mail server said last, or why it came back';
"""


def upgrade() -> None:
    op.execute(DELIVERY)


def downgrade() -> None:
    op.execute("DROP TABLE delivery, print_batch")
