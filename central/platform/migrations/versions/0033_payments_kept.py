"""payments_kept: closings of open items, days of a penalty, pending entries of a statement, sums by currency.

What was closed before keeps its amount; its day is that of its act, where the act is on record, else the day on
which the item was due.
"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE receivable_closing (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT receivable_closing_pkey PRIMARY KEY,
    receivable bigint NOT NULL CONSTRAINT receivable_closing_receivable_fkey REFERENCES receivable (id),
    amount numeric(14, 2) NOT NULL CONSTRAINT receivable_closing_amount_check CHECK (amount > 0),
    closed_on date NOT NULL,
    closed_at timestamptz NOT NULL,
    closed_by text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX receivable_closing_receivable_ix ON receivable_closing (receivable);
COMMENT ON TABLE receivable_closing IS 'Append-only: what is no longer asked for of an open item (odpis), and why';
INSERT INTO receivable_closing (receivable, amount, closed_on, closed_at, closed_by, reason)
SELECT r.id, r.closed, coalesce((a.at AT TIME ZONE 'Europe/Prague')::date, r.due),
       coalesce(a.at, r.due::timestamp AT TIME ZONE 'Europe/Prague'), coalesce(a.person, 'system'),
       coalesce(a.why, 'closed')
  FROM receivable r
  LEFT JOIN LATERAL (SELECT * FROM audit
                      WHERE subject = 'receivable/' || r.id AND act = 'receivable.close'
                      ORDER BY at DESC, id DESC LIMIT 1) a ON true
 WHERE r.closed > 0 ORDER BY r.id;
CREATE TRIGGER receivable_closing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receivable_closing
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE reminder_item ADD COLUMN charged_days integer NOT NULL DEFAULT 0
    CONSTRAINT reminder_item_charged_days_check CHECK (charged_days >= 0);
COMMENT ON COLUMN reminder_item.charged_days IS 'Days past due for which a penalty was charged up to this reminder';
UPDATE reminder_item i SET charged_days = i.days FROM reminder m WHERE m.id = i.reminder AND m.penalty IS NOT NULL;
DROP INDEX reminder_item_receivable_ix;
CREATE UNIQUE INDEX reminder_item_receivable_ix ON reminder_item (receivable, level);

ALTER TABLE bank_statement ADD COLUMN pending integer NOT NULL DEFAULT 0
    CONSTRAINT bank_statement_pending_check CHECK (pending >= 0);
COMMENT ON COLUMN bank_statement.pending IS 'Entries that the bank has not booked yet: not read';

ALTER TABLE delivery ADD COLUMN number text, ALTER COLUMN invoice DROP NOT NULL,
    ADD COLUMN advance bigint CONSTRAINT delivery_advance_fkey REFERENCES advance (id),
    ADD COLUMN advance_document bigint CONSTRAINT delivery_advance_document_fkey REFERENCES advance_document (id),
    ADD CONSTRAINT delivery_document_check CHECK (num_nonnulls(invoice, advance, advance_document) = 1);
UPDATE delivery d SET number = i.number FROM invoice i WHERE i.id = d.invoice;
ALTER TABLE delivery ALTER COLUMN number SET NOT NULL;
DROP INDEX delivery_under_way_ix;
CREATE UNIQUE INDEX delivery_under_way_ix ON delivery (number, kind) WHERE state IN ('queued', 'sending', 'deferred');
CREATE INDEX delivery_number_ix ON delivery (number);
CREATE INDEX delivery_advance_ix ON delivery (advance);
CREATE INDEX delivery_advance_document_ix ON delivery (advance_document);

CREATE TABLE bank_pickup (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT bank_pickup_pkey PRIMARY KEY,
    name text NOT NULL,
    sha256 bytea NOT NULL,
    outcome text NOT NULL CONSTRAINT bank_pickup_outcome_check
        CHECK (outcome IN ('booked', 'known', 'refused', 'again')),
    reason text,
    file bigint CONSTRAINT bank_pickup_file_fkey REFERENCES bank_file (id),
    at timestamptz NOT NULL,
    CONSTRAINT bank_pickup_name_sha256_key UNIQUE (name, sha256),
    CONSTRAINT bank_pickup_refused_check CHECK ((outcome = 'refused') = (reason IS NOT NULL)),
    CONSTRAINT bank_pickup_booked_check CHECK ((outcome IN ('booked', 'known')) = (file IS NOT NULL))
);
COMMENT ON TABLE bank_pickup IS 'Files of the watched folder of bank statements, and what became of each';

ALTER TABLE journal_export ADD COLUMN sums jsonb;
UPDATE journal_export SET sums = jsonb_build_object('CZK', debit::text);
ALTER TABLE journal_export ALTER COLUMN sums SET NOT NULL,
    DROP CONSTRAINT journal_export_balance_check, DROP COLUMN debit, DROP COLUMN credit;
COMMENT ON COLUMN journal_export.sums IS 'Turnover by currency: as much debit as credit';

-- What exported documents deducted went with them; what was given back before the export had never been handed over.
INSERT INTO journal_mark (kind, item, export)
SELECT k.kind, d.id, m.export
  FROM advance_deduction d
  JOIN journal_mark m ON m.kind = 'invoice' AND m.item = d.invoice
  JOIN journal_export e ON e.id = m.export
 CROSS JOIN (VALUES ('deduction'), ('deduction_undone')) AS k (kind)
 WHERE k.kind = 'deduction' OR d.undone_at <= e.made_at;
"""

DOWN = """
-- Deliveries of advances had no place before.
DELETE FROM delivery WHERE invoice IS NULL;
DROP INDEX delivery_under_way_ix;
ALTER TABLE delivery DROP COLUMN number, DROP COLUMN advance, DROP COLUMN advance_document,
    ALTER COLUMN invoice SET NOT NULL;
CREATE UNIQUE INDEX delivery_under_way_ix ON delivery (invoice, kind) WHERE state IN ('queued', 'sending', 'deferred');
DELETE FROM journal_mark WHERE kind IN ('deduction', 'deduction_undone', 'asked', 'asked_release', 'closing');
DELETE FROM journal_mark m USING receivable r WHERE m.kind = 'receivable' AND r.id = m.item AND r.kind = 'advance';
ALTER TABLE journal_export ADD COLUMN debit numeric(16, 2), ADD COLUMN credit numeric(16, 2);
UPDATE journal_export SET debit = total.amount, credit = total.amount
  FROM (SELECT e.id, coalesce(sum(s.value::numeric), 0) AS amount
          FROM journal_export e LEFT JOIN LATERAL jsonb_each_text(e.sums) s ON true GROUP BY e.id) total
 WHERE total.id = journal_export.id;
ALTER TABLE journal_export ALTER COLUMN debit SET NOT NULL, ALTER COLUMN credit SET NOT NULL,
    ADD CONSTRAINT journal_export_balance_check CHECK (debit = credit), DROP COLUMN sums;
ALTER TABLE bank_statement DROP COLUMN pending;
DROP INDEX reminder_item_receivable_ix;
CREATE INDEX reminder_item_receivable_ix ON reminder_item (receivable, level);
ALTER TABLE reminder_item DROP COLUMN charged_days;
DROP TABLE bank_pickup, receivable_closing;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
